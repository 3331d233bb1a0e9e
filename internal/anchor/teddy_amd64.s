//go:build !purego

#include "textflag.h"

// What follows is the same byte again and again.
DATA nibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $8
DATA feed<>+0(SB)/8, $0x0a0a0a0a0a0a0a0a
GLOBL feed<>(SB), RODATA|NOPTR, $8
DATA escape<>+0(SB)/8, $0x1b1b1b1b1b1b1b1b
DATA escape<>+8(SB)/8, $0x1b1b1b1b1b1b1b1b
DATA escape<>+16(SB)/8, $0x1b1b1b1b1b1b1b1b
DATA escape<>+24(SB)/8, $0x1b1b1b1b1b1b1b1b
GLOBL escape<>(SB), RODATA|NOPTR, $32

// SHUFFLE ands the buckets for the byte at offset of a gram into the result.
// The low nibble needs no mask: where bit 7 is set VPSHUFB gives 0, and no gram
// has a byte that is not ASCII.
#define SHUFFLE(offset, low, high, result) \
	VMOVDQU offset(SI), Y2 \
	VPSHUFB Y2, low, Y3    \
	VPSRLW  $4, Y2, Y2     \
	VPAND   Y7, Y2, Y2     \
	VPSHUFB Y2, high, Y2   \
	VPAND   Y3, result, result \
	VPAND   Y2, result, result

// HALF puts into result the buckets with a gram at each of 32 bytes. It counts
// line feeds in Y5, and takes the minimum of each byte, and of it with 0x1b
// turned to 0, into Y4.
#define HALF(offset, result) \
	VMOVDQU  offset(SI), Y2         \
	VPCMPEQB Y6, Y2, Y3             \
	VPSUBB   Y3, Y5, Y5             \
	VPMINUB  Y2, Y4, Y4             \
	VPXOR    escape<>(SB), Y2, Y3   \
	VPMINUB  Y3, Y4, Y4             \
	VPSHUFB  Y2, Y8, result         \
	VPSRLW   $4, Y2, Y2             \
	VPAND    Y7, Y2, Y2             \
	VPSHUFB  Y2, Y9, Y2             \
	VPAND    Y2, result, result     \
	SHUFFLE((offset+1), Y10, Y11, result) \
	SHUFFLE((offset+2), Y12, Y13, result) \
	VMOVDQU  (offset+3)(SI), Y2     \
	VPAND    Y7, Y2, Y3             \ // any byte may stand here, also one that is not ASCII
	VPSHUFB  Y3, Y14, Y3            \
	VPSRLW   $4, Y2, Y2             \
	VPAND    Y7, Y2, Y2             \
	VPSHUFB  Y2, Y15, Y2            \
	VPAND    Y3, result, result     \
	VPAND    Y2, result, result

// func sweep(t *tables, data *byte, n int, masks *uint64, blocks *int) (found, lines int, odd bool)
TEXT ·sweep(SB), NOSPLIT, $0-57
	MOVQ t+0(FP), DI
	MOVQ data+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ masks+24(FP), R8
	MOVQ blocks+32(FP), R9
	XORQ R10, R10 // R10: the block
	XORQ R11, R11 // R11: found
	VMOVDQU 0(DI), Y8
	VMOVDQU 32(DI), Y9
	VMOVDQU 64(DI), Y10
	VMOVDQU 96(DI), Y11
	VMOVDQU 128(DI), Y12
	VMOVDQU 160(DI), Y13
	VMOVDQU 192(DI), Y14
	VMOVDQU 224(DI), Y15
	VPBROADCASTQ nibble<>(SB), Y7
	VPBROADCASTQ feed<>(SB), Y6
	VPXOR    Y5, Y5, Y5
	VPCMPEQB Y4, Y4, Y4

	PCALIGN $64
block:
	HALF(0, Y0)
	HALF(32, Y1)
	VPXOR     Y2, Y2, Y2
	VPCMPEQB  Y2, Y0, Y0
	VPCMPEQB  Y2, Y1, Y1
	VPMOVMSKB Y0, AX
	VPMOVMSKB Y1, BX
	SHLQ  $32, BX
	ORQ   BX, AX
	NOTQ  AX
	MOVQ  AX, (R8)(R11*8)  // overwritten if 0: what data look like decides, no
	MOVQ  R10, (R9)(R11*8) // branch could be foretold
	NEGQ  AX               // carries unless 0
	ADCQ  $0, R11
	ADDQ  $64, SI
	INCQ  R10
	CMPQ  R10, CX
	JLT   block

	VPXOR   Y2, Y2, Y2
	VPSADBW Y2, Y5, Y5
	VEXTRACTI128 $1, Y5, X3
	VPADDQ  X3, X5, X5
	VPSHUFD $0x4e, X5, X3
	VPADDQ  X3, X5, X5
	VMOVQ   X5, BX
	VPCMPEQB  Y2, Y4, Y4
	VPMOVMSKB Y4, AX
	TESTL AX, AX
	SETNE odd+56(FP)
	MOVQ  R11, found+40(FP)
	MOVQ  BX, lines+48(FP)
	VZEROUPPER
	RET

// PROBE turns place to 1 if the pattern of the hash of three bytes there fits the
// eight bytes there, or else to 0.
#define PROBE(place) \
	MOVQ    (BX)(place*1), place  \
	MOVL    place, R15            \
	ANDL    $0xffffff, R15        \
	IMUL3L  $0x1e35a7bd, R15, R15 \
	SHRL    $22, R15              \
	MOVWLZX (DI)(R15*2), R15      \
	LEAL    (R15)(R15*2), R15     \
	ANDQ    8(DX)(R15*8), place   \
	CMPQ    place, (DX)(R15*8)    \
	SETEQ   place                 \
	MOVBLZX place, place

// func sift(index *[1 << 10]uint16, patterns *pattern, data *byte, found int, masks *uint64, blocks *int) (kept int)
TEXT ·sift(SB), NOSPLIT, $0-56
	MOVQ  index+0(FP), DI
	MOVQ  patterns+8(FP), DX
	MOVQ  data+16(FP), SI
	MOVQ  masks+32(FP), R8
	MOVQ  blocks+40(FP), R9
	XORQ  R10, R10 // R10: the block
	XORQ  R11, R11 // R11: kept
	JMP   test

	PCALIGN $32
sift:
	MOVQ (R9)(R10*8), BX
	MOVQ (R8)(R10*8), AX
	XORL R14, R14    // R14: those of its places that are kept
	MOVQ BX, (R9)(R11*8)
	SHLQ $6, BX
	ADDQ SI, BX
pair:
	TZCNTQ AX, R12
	BLSRQ  AX, CX
	TZCNTQ CX, R13   // 64 if there is no second place
	BLSRQ  CX, CX    // CX: the rest of them
	XORQ   CX, AX    // AX: the pair
	PROBE(R12)
	PROBE(R13)
	ORL    R13, R12
	NEGQ   R12
	ANDQ   R12, AX
	ORQ    AX, R14
	MOVQ   CX, AX
	TESTQ  CX, CX
	JNZ    pair
	MOVQ   R14, (R8)(R11*8)
	NEGQ   R14       // carries unless 0
	ADCQ   $0, R11
	INCQ   R10
test:
	CMPQ R10, found+24(FP)
	JLT  sift
	MOVQ R11, kept+48(FP)
	RET
