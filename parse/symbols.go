package parse

// Symbols names addresses.
type Symbols interface{}

func (p *parser) symbolize(f *Frame) {}
