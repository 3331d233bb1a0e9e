package parse

// Symbols names addresses.
type Symbols interface{}
