package input

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
)

// journalMagic begins a file of systemd's journal, which only systemd's own
// library is meant to read.
const journalMagic = "LPKSHHRH"

// journalHelp is what to do where there is no journalctl. NAME stands for the
// file, quoted for a shell.
const journalHelp = "is a systemd journal file; export it: journalctl --file NAME _TRANSPORT=kernel -o short > kernel.log"

func journalFile(s stream) bool { return bytes.HasPrefix(s.head, []byte(journalMagic)) }

// openJournal returns the text of a journal file.
func (in *Inputs) openJournal(file, shown string) (io.ReadCloser, error) {
	help := strings.ReplaceAll(journalHelp, "NAME", shellQuote(shown))
	if in.opt.Journal == nil {
		return nil, &notText{help, true}
	}
	r, err := in.opt.Journal(file)
	if err != nil {
		return nil, journalError(err, help)
	}
	return readCloser{&journalReader{r, help}, r}, nil
}

func journalError(err error, help string) error {
	return dataError(fmt.Sprintf("journalctl cannot read it (%v); the file %s", err, help))
}

// journalReader says what to do about an error.
type journalReader struct {
	r    io.Reader
	help string
}

func (j *journalReader) Read(p []byte) (int, error) {
	n, err := j.r.Read(p)
	if err != nil && err != io.EOF {
		err = journalError(err, j.help)
	}
	return n, err
}

// journal is a journal that is an argument by itself.
func (in *Inputs) journal(name string, s stream) Source {
	if s.file != nil && name != Stdin {
		return Source{Name: name, Compression: "none", Open: func() (io.ReadCloser, error) { return in.openJournal(name, name) }}
	}
	b, err := in.exportJournal(&metered{r: s, in: s.in}, name)
	if err != nil {
		return broken(name, err)
	}
	return Source{Name: name, Compression: s.compression, Open: b.open}
}

// journal keeps the text of a journal that is a member.
func (g *gatherer) journal(m *member, it item, s stream) error {
	if m.file != "" && s.file != nil && g.in.opt.Journal != nil {
		it.open = func() (io.ReadCloser, error) { return g.in.openJournal(m.file, m.name) }
		g.use(it)
		return nil
	}
	b, err := g.in.exportJournal(&metered{r: s, in: s.in}, m.name)
	if err != nil {
		if isA[limitError](err) {
			return err
		}
		g.unreadable(m, it.rule, it.root, err)
		return nil
	}
	it.open, it.bytes, it.err = b.open, b.size, b.tail
	g.use(it)
	return nil
}

// exportJournal writes a journal that is no file to one, as journalctl wants
// it, and spools the text.
func (in *Inputs) exportJournal(r io.Reader, shown string) (*blob, error) {
	if in.opt.Journal == nil {
		_, err := in.openJournal("", shown)
		return nil, err
	}
	f, err := os.CreateTemp("", "oomtrace-*.journal")
	if err != nil {
		return nil, plain(err)
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, r)
	if err := cmp.Or(err, f.Close()); err != nil {
		return nil, plain(err)
	}
	j, err := in.openJournal(f.Name(), shown)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	return in.spool.put(j)
}
