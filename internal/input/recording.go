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

// traceMagic begins trace-cmd's trace.dat: a kernel's ring buffer, and what it
// takes to make text of it.
const traceMagic = "\x17\x08\x44tracing"

const traceHelp = "is a trace-cmd recording; convert it: trace-cmd report -i NAME > trace.txt"

// recording is a kind of file that a program of its own makes text of.
type recording struct {
	magic, program, help string
	suffix               string // of a temporary file
	find                 func(*Options) func() Reader
}

// read returns what makes text of the recording, nil without its program.
func (k *recording) read(opt *Options) Reader {
	if find := k.find(opt); find != nil {
		return find()
	}
	return nil
}

var recordings = []*recording{
	{journalMagic, "journalctl", journalHelp, ".journal", func(o *Options) func() Reader { return o.Journal }},
	{traceMagic, "trace-cmd", traceHelp, ".dat", func(o *Options) func() Reader { return o.Trace }},
}

// recordingOf returns the kind of a recording, nil for anything else.
func recordingOf(s stream) *recording {
	for _, k := range recordings {
		if bytes.HasPrefix(s.head, []byte(k.magic)) {
			return k
		}
	}
	return nil
}

// openRecording returns the text of a recording.
func (in *Inputs) openRecording(k *recording, file, shown string) (io.ReadCloser, error) {
	help := strings.ReplaceAll(k.help, "NAME", shellQuote(shown))
	read := k.read(&in.opt)
	if read == nil {
		return nil, &notText{help, true}
	}
	r, err := read(file)
	if err != nil {
		return nil, k.error(err, help)
	}
	return readCloser{&recordingReader{r, k, help}, r}, nil
}

func (k *recording) error(err error, help string) error {
	return dataError(fmt.Sprintf("%s cannot read it (%v); the file %s", k.program, err, help))
}

// recordingReader says what to do about an error.
type recordingReader struct {
	r    io.Reader
	kind *recording
	help string
}

func (j *recordingReader) Read(p []byte) (int, error) {
	n, err := j.r.Read(p)
	if err != nil && err != io.EOF {
		err = j.kind.error(err, j.help)
	}
	return n, err
}

// recording is one that is an argument by itself.
func (in *Inputs) recording(k *recording, name string, s stream) Source {
	if s.file != nil && name != Stdin {
		return Source{Name: name, Compression: "none", Open: func() (io.ReadCloser, error) { return in.openRecording(k, name, name) }}
	}
	b, err := in.export(k, &metered{r: s, in: s.in}, name)
	if err != nil {
		return broken(name, err)
	}
	return Source{Name: name, Compression: s.compression, Open: b.open}
}

// recording keeps the text of a recording that is a member.
func (g *gatherer) recording(k *recording, m *member, it item, s stream) error {
	if m.file != "" && s.file != nil && k.read(&g.in.opt) != nil {
		it.open = func() (io.ReadCloser, error) { return g.in.openRecording(k, m.file, m.name) }
		g.use(it)
		return nil
	}
	b, err := g.in.export(k, &metered{r: s, in: s.in}, m.name)
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

// export writes a recording that is no file to one, as its program wants it,
// and spools the text.
func (in *Inputs) export(k *recording, r io.Reader, shown string) (*blob, error) {
	if k.read(&in.opt) == nil {
		_, err := in.openRecording(k, "", shown)
		return nil, err
	}
	f, err := os.CreateTemp("", "oomtrace-*"+k.suffix)
	if err != nil {
		return nil, plain(err)
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, r)
	if err := cmp.Or(err, f.Close()); err != nil {
		return nil, plain(err)
	}
	j, err := in.openRecording(k, f.Name(), shown)
	if err != nil {
		return nil, err
	}
	defer j.Close()
	return in.spool.put(j)
}
