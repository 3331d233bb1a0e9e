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

// func sweep(t *nibbles, data *byte, n int, masks *uint64, blocks *int) (found, lines int, odd bool)
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

// FIT compares the eight bytes at place with the pattern of the hash of the first
// three: the low byte of the factor is 0, so the fourth is not in the hash.
#define FIT(place) \
	MOVQ    (BX)(place*1), place    \
	IMUL3L  $0x35a7bd00, place, R15 \
	SHRL    $22, R15                \
	MOVWLZX (DI)(R15*2), R15        \
	LEAL    (R15)(R15*2), R15       \
	ANDQ    8(DX)(R15*8), place     \
	CMPQ    place, (DX)(R15*8)

// PROBE turns place to 1 if the pattern fits, or else to 0.
#define PROBE(place) \
	FIT(place)           \
	SETEQ   place        \
	MOVBLZX place, place

// PROBES puts into R14 those places of AX, in the block at BX, where a pattern fits,
// and one beside each here and there.
#define PROBES(pair) \
	XORL   R14, R14  \
pair:                    \
	TZCNTQ AX, R12   \
	BLSRQ  AX, CX    \
	TZCNTQ CX, R13   \ // 64 if there is no second place
	BLSRQ  CX, CX    \ // CX: the rest of them
	XORQ   CX, AX    \ // AX: the pair
	PROBE(R12)       \
	PROBE(R13)       \
	ORL    R13, R12  \
	NEGQ   R12       \
	ANDQ   R12, AX   \
	ORQ    AX, R14   \
	MOVQ   CX, AX    \
	TESTQ  CX, CX    \
	JNZ    pair

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
	MOVQ BX, (R9)(R11*8)
	SHLQ $6, BX
	ADDQ SI, BX
	PROBES(pair)
	MOVQ   R14, (R8)(R11*8)
	NEGQ   R14       // carries unless 0
	ADCQ   $0, R11
	INCQ   R10
test:
	CMPQ R10, found+24(FP)
	JLT  sift
	MOVQ R11, kept+48(FP)
	RET

// LOOKUP turns bytes into their buckets, the first eight and the other ones, each by
// a table of two halves. The high bit of a byte does not count: what is not ASCII
// is at worst a place in vain.
#define LOOKUP(low0, high0, low1, high1, first, second) \
	VMOVDQA64 first, second       \
	VPERMI2B  high0, low0, first  \
	VPERMI2B  high1, low1, second

// BEHIND does so with the bytes that stand offset bytes behind those of Z7; Z8 has
// those 16 bytes behind them. To load them would take longer, as most loads would
// cross cache lines.
#define BEHIND(offset, low0, high0, low1, high1, first, second) \
	VPALIGNR $offset, Z7, Z8, first \
	LOOKUP(low0, high0, low1, high1, first, second)

// func hunt(t *classes, index *[1 << 10]uint16, patterns *pattern, data *byte, n int) (searched int, places uint64, lines int, odd bool)
TEXT ·hunt(SB), NOSPLIT, $0-65
	MOVQ t+0(FP), AX
	MOVQ index+8(FP), DI
	MOVQ patterns+16(FP), DX
	MOVQ data+24(FP), SI
	MOVQ n+32(FP), R8
	SHLQ $6, R8
	ADDQ SI, R8   // R8: the end
	XORL R9, R9   // R9: lines
	MOVQ SI, BX   // BX: the block
	VMOVDQU64 0(AX), Z12
	VMOVDQU64 64(AX), Z13
	VMOVDQU64 128(AX), Z14
	VMOVDQU64 192(AX), Z15
	VMOVDQU64 256(AX), Z16
	VMOVDQU64 320(AX), Z17
	VMOVDQU64 384(AX), Z18
	VMOVDQU64 448(AX), Z19
	VMOVDQU64 512(AX), Z20
	VMOVDQU64 576(AX), Z21
	VMOVDQU64 640(AX), Z22
	VMOVDQU64 704(AX), Z23
	VMOVDQU64 768(AX), Z24
	VMOVDQU64 832(AX), Z25
	VMOVDQU64 896(AX), Z26
	VMOVDQU64 960(AX), Z27
	VMOVDQU64 1024(AX), Z28
	VMOVDQU64 1088(AX), Z29
	VMOVDQU64 1152(AX), Z30
	VMOVDQU64 1216(AX), Z31
	VPBROADCASTQ feed<>(SB), Z11
	VPBROADCASTQ escape<>(SB), Z10
	VPTERNLOGD   $0xff, Z9, Z9, Z9 // the minimum, as in HALF

	PCALIGN $64
hunt:
	VMOVDQU64  (BX), Z7
	VMOVDQU64  16(BX), Z8
	BEHIND(4, Z20, Z21, Z30, Z31, Z0, Z1)
	BEHIND(3, Z18, Z19, Z28, Z29, Z2, Z3)
	BEHIND(2, Z16, Z17, Z26, Z27, Z4, Z5)
	VPTERNLOGQ $0x80, Z0, Z2, Z4 // and
	VPTERNLOGQ $0x80, Z1, Z3, Z5
	BEHIND(1, Z14, Z15, Z24, Z25, Z0, Z1)
	VPCMPEQB   Z11, Z7, K2
	VPXORQ     Z10, Z7, Z6
	VPMINUB    Z7, Z9, Z9
	VPMINUB    Z6, Z9, Z9
	KMOVQ      K2, AX
	POPCNTQ    AX, AX
	ADDQ       AX, R9
	LOOKUP(Z12, Z13, Z22, Z23, Z7, Z3)
	VPTERNLOGQ $0x80, Z0, Z7, Z4
	VPANDQ     Z1, Z3, Z3
	VPTERNLOGQ $0xf8, Z3, Z5, Z4 // and, or the first eight
	VPTESTMB   Z4, Z4, K1
	KMOVQ      K1, AX
	// Most blocks have one place at most, and nothing fits it. No branch could
	// foretell that place, so all blocks are probed as if they had one.
	TZCNTQ AX, R12 // 64 if there is none
	FIT(R12)
	JEQ    places
	BLSRQ  AX, CX
	JNZ    places
next:
	ADDQ $64, BX
	CMPQ BX, R8
	JB   hunt
	XORL R14, R14
done:
	SUBQ data+24(FP), BX
	SHRQ $6, BX
	MOVQ BX, searched+40(FP)
	MOVQ R14, places+48(FP)
	MOVQ R9, lines+56(FP)
	VPTESTNMB Z9, Z9, K1
	KORTESTQ  K1, K1
	SETNE odd+64(FP)
	VZEROUPPER
	RET

places:
	PROBES(pair)
	TESTQ R14, R14
	JZ    next
	ADDQ  $64, BX
	JMP   done
