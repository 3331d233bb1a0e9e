#include "textflag.h"

// func madvise(addr, size, advice uintptr) (errno int)
TEXT ·madvise(SB), NOSPLIT, $0-32
	MOVD addr+0(FP), R0
	MOVD size+8(FP), R1
	MOVD advice+16(FP), R2
	MOVD $233, R8
	SVC
	NEG  R0, R0
	MOVD R0, errno+24(FP)
	RET
