package parse

import (
	"strings"
	"testing"
)

// TestKinds holds that each kind's sample is what it recognises.
func TestKinds(t *testing.T) {
	for _, k := range kinds {
		if k.name == "" || k.source == "" || !strings.HasPrefix(k.sample, k.literal) {
			t.Errorf("%+v: sample does not start with the literal", k.name)
			continue
		}
		taken := false
		p := &parser{emit: func(Event) {}, names: map[string]string{}}
		a := &assembler{p: p, dump: &openDump{Dump: &Dump{}}}
		for _, o := range kindIndex[k.sample[0]] {
			if strings.HasPrefix(k.sample, o.literal) && o.take(a, &line{no: 1, text: k.sample, stamped: true}, k.sample) {
				taken = o.name == k.name
				break
			}
		}
		if !taken {
			t.Errorf("%s: %q is not taken", k.name, k.sample)
		}
	}
}
