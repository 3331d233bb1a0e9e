package anchor

// frequency returns how often the bytes from one to another of a gram follow
// each other in a log, as if each stood for itself.
func (g gram) frequency(from, to int) float64 {
	f := 1.0
	for i := from; i < to; i++ {
		if g.mask>>(8*i)&0xff != 0 {
			f *= frequency(byte(g.value >> (8 * i)))
		}
	}
	return f
}

func frequency(c byte) float64 {
	if int(c) >= len(perMillion) {
		return 1e-6
	}
	return float64(perMillion[c]+1) / 1e6
}

// perMillion tells how many of a million bytes of a log are each of ASCII. It was
// counted in a log of a busy host as noise of the tests makes it, three parts, and
// the kernel logs of testdata/dmesg, one part; what is printable has at least 20.
var perMillion = [128]int32{
	0, 0, 0, 0, 0, 0, 0, 0, // ........
	0, 10, 9099, 0, 0, 2940, 0, 0, // ........
	0, 0, 0, 0, 0, 0, 0, 0, // ........
	0, 0, 0, 0, 0, 0, 0, 0, // ........
	109932, 24, 13151, 132, 20, 69, 534, 182, //  !"#$%&'
	3088, 3088, 185, 3224, 2619, 19099, 21063, 10520, // ()*+,-./
	69698, 33364, 32825, 25265, 19187, 18548, 18899, 20141, // 01234567
	17400, 16679, 27215, 680, 795, 11801, 2855, 648, // 89:;<=>?
	73, 1418, 846, 3118, 2613, 2375, 971, 1091, // @ABCDEFG
	996, 2356, 20, 1041, 1372, 1537, 5631, 2108, // HIJKLMNO
	2601, 331, 2336, 3600, 5720, 1619, 278, 1469, // PQRSTUVW
	168, 245, 292, 9008, 2355, 9423, 20, 10281, // XYZ[\]^_
	20, 26947, 12822, 22067, 21169, 53909, 16500, 7410, // `abcdefg
	7827, 21333, 855, 7035, 13347, 11823, 19930, 30016, // hijklmno
	14835, 1074, 26685, 25173, 26799, 12056, 8102, 8063, // pqrstuvw
	6728, 4251, 627, 163, 20, 163, 43, 0, // xyz{|}~.
}
