#include "textflag.h"

// func madvise(addr, size, advice uintptr) (errno int)
TEXT ·madvise(SB), NOSPLIT, $0-32
	MOVQ addr+0(FP), DI
	MOVQ size+8(FP), SI
	MOVQ advice+16(FP), DX
	MOVL $28, AX
	SYSCALL
	NEGQ AX
	MOVQ AX, errno+24(FP)
	RET
