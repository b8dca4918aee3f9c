//go:build !purego

#include "textflag.h"

// func flattenAVX2(p *byte, blocks int, base uint32, chars uint32, pos *uint32) (count, newlines int, quotes uint64)
//
// For each of blocks 64-byte blocks at p: write base + offset of every byte that is the delimiter (chars bits 0-7) or the
// newline (bits 8-15) to pos, count the newlines, OR together where the quote (bits 16-23) stands.
// Positions are written four at a time; up to 3 words behind the last one are overwritten.
TEXT ·flattenAVX2(SB), NOSPLIT, $0-56
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVL base+16(FP), DX
	MOVL chars+20(FP), AX
	MOVQ pos+24(FP), DI
	MOVQ DI, R8
	VMOVD AX, X15
	VPBROADCASTB X15, Y15 // delimiter
	SHRL $8, AX
	VMOVD AX, X14
	VPBROADCASTB X14, Y14 // newline
	SHRL $8, AX
	VMOVD AX, X13
	VPBROADCASTB X13, Y13 // quote
	VPXOR Y12, Y12, Y12   // quotes seen
	VPXOR Y11, Y11, Y11   // zero
	VPXOR Y10, Y10, Y10   // newlines, 4 x uint64

outer:
	// A byte lane counts to 255: at most 127 blocks with two additions each between flushes.
	MOVQ $127, R9
	CMPQ CX, R9
	CMOVQLT CX, R9
	SUBQ R9, CX
	VPXOR Y9, Y9, Y9
	TESTQ R9, R9
	JZ done

loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPCMPEQB Y15, Y0, Y2
	VPCMPEQB Y14, Y0, Y3
	VPCMPEQB Y15, Y1, Y4
	VPCMPEQB Y14, Y1, Y5
	VPCMPEQB Y13, Y0, Y6
	VPCMPEQB Y13, Y1, Y7
	VPOR Y2, Y3, Y2
	VPOR Y4, Y5, Y4
	VPOR Y6, Y12, Y12
	VPOR Y7, Y12, Y12
	VPADDB Y3, Y5, Y3
	VPSUBB Y3, Y9, Y9
	VPMOVMSKB Y2, AX
	VPMOVMSKB Y4, BX
	SHLQ $32, BX
	ORQ BX, AX
	POPCNTQ AX, R10

	TZCNTQ AX, R11
	BLSRQ AX, AX
	TZCNTQ AX, R12
	BLSRQ AX, AX
	TZCNTQ AX, R13
	BLSRQ AX, AX
	TZCNTQ AX, BX
	BLSRQ AX, AX
	ADDL DX, R11
	ADDL DX, R12
	ADDL DX, R13
	ADDL DX, BX
	MOVL R11, (DI)
	MOVL R12, 4(DI)
	MOVL R13, 8(DI)
	MOVL BX, 12(DI)
	CMPQ R10, $4
	JGT more

next:
	LEAQ (DI)(R10*4), DI
	ADDQ $64, SI
	ADDL $64, DX
	DECQ R9
	JNZ loop

	VPSADBW Y11, Y9, Y9
	VPADDQ Y9, Y10, Y10
	JMP outer

more:
	LEAQ 16(DI), R14

more4:
	TZCNTQ AX, R11
	BLSRQ AX, AX
	TZCNTQ AX, R12
	BLSRQ AX, AX
	TZCNTQ AX, R13
	BLSRQ AX, AX
	TZCNTQ AX, BX
	BLSRQ AX, AX
	ADDL DX, R11
	ADDL DX, R12
	ADDL DX, R13
	ADDL DX, BX
	MOVL R11, (R14)
	MOVL R12, 4(R14)
	MOVL R13, 8(R14)
	MOVL BX, 12(R14)
	ADDQ $16, R14
	TESTQ AX, AX
	JNZ more4
	JMP next

done:
	SUBQ R8, DI
	SHRQ $2, DI
	MOVQ DI, count+32(FP)
	VEXTRACTI128 $1, Y10, X0
	VPADDQ X0, X10, X0
	VPSRLDQ $8, X0, X1
	VPADDQ X0, X1, X0
	VMOVQ X0, AX
	MOVQ AX, newlines+40(FP)
	VPMOVMSKB Y12, AX
	MOVQ AX, quotes+48(FP)
	VZEROUPPER
	RET

// func flattenQuotedAVX2(p *byte, blocks int, base uint32, chars uint32, pos *uint32, state *parity) (count, newlines int)
//
// As flattenAVX2, but bytes within quotes do not count. state carries over from block to block.
TEXT ·flattenQuotedAVX2(SB), NOSPLIT, $0-56
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVL base+16(FP), DX
	MOVL chars+20(FP), AX
	MOVQ pos+24(FP), DI
	VMOVD AX, X15
	VPBROADCASTB X15, Y15
	SHRL $8, AX
	VMOVD AX, X14
	VPBROADCASTB X14, Y14
	SHRL $8, AX
	VMOVD AX, X13
	VPBROADCASTB X13, Y13
	VPCMPEQB X12, X12, X12 // all ones: carry-less multiplication by it is a prefix xor
	MOVQ state+32(FP), AX
	MOVQ 0(AX), R8         // 0 or ^0: within quotes
	MOVQ 8(AX), R9         // 0 or 1: the byte before may be followed by an opening quote
	MOVQ 16(AX), R15       // violations so far
	XORQ R14, R14          // newlines
	TESTQ CX, CX
	JZ qdone

qloop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPCMPEQB Y13, Y0, Y6
	VPCMPEQB Y13, Y1, Y7
	VPMOVMSKB Y6, AX
	VPMOVMSKB Y7, BX
	SHLQ $32, BX
	ORQ BX, AX             // AX quotes
	VMOVQ AX, X8
	VPCLMULQDQ $0, X12, X8, X8
	VMOVQ X8, R10
	XORQ R8, R10           // R10 within quotes, the opening quote included
	MOVQ R10, R8
	SARQ $63, R8

	VPCMPEQB Y15, Y0, Y2
	VPCMPEQB Y15, Y1, Y4
	VPCMPEQB Y14, Y0, Y3
	VPCMPEQB Y14, Y1, Y5
	VPMOVMSKB Y2, BX
	VPMOVMSKB Y4, R11
	SHLQ $32, R11
	ORQ R11, BX            // BX delimiters
	VPMOVMSKB Y3, R12
	VPMOVMSKB Y5, R13
	SHLQ $32, R13
	ORQ R13, R12           // R12 newlines

	MOVQ AX, R11
	ORQ BX, R11
	ORQ R12, R11           // delimiters, newlines, quotes: what an opening quote may follow
	MOVQ R11, R13
	ADDQ R11, R11
	ORQ R9, R11
	SHRQ $63, R13
	MOVQ R13, R9
	ANDNQ AX, R11, R11     // quotes that follow something else
	MOVQ R11, AX
	ANDQ R10, AX           // ... and open
	ORQ AX, R15
	ANDNQ R11, R10, R11    // ... and close: they open for whoever came in the other way
	MOVQ state+32(FP), AX
	ORQ R11, 24(AX)

	ANDNQ R12, R10, R12
	ANDNQ BX, R10, AX
	ORQ R12, AX
	POPCNTQ R12, R12
	ADDQ R12, R14
	POPCNTQ AX, R10

	TZCNTQ AX, R11
	BLSRQ AX, AX
	TZCNTQ AX, R12
	BLSRQ AX, AX
	TZCNTQ AX, R13
	BLSRQ AX, AX
	TZCNTQ AX, BX
	BLSRQ AX, AX
	ADDL DX, R11
	ADDL DX, R12
	ADDL DX, R13
	ADDL DX, BX
	MOVL R11, (DI)
	MOVL R12, 4(DI)
	MOVL R13, 8(DI)
	MOVL BX, 12(DI)
	CMPQ R10, $4
	JGT qmore

qnext:
	LEAQ (DI)(R10*4), DI
	ADDQ $64, SI
	ADDL $64, DX
	DECQ CX
	JNZ qloop

qdone:
	MOVQ state+32(FP), AX
	MOVQ R8, 0(AX)
	MOVQ R9, 8(AX)
	MOVQ R15, 16(AX)
	SUBQ pos+24(FP), DI
	SHRQ $2, DI
	MOVQ DI, count+40(FP)
	MOVQ R14, newlines+48(FP)
	VZEROUPPER
	RET

qmore:
	MOVQ DI, SI
	ADDQ $16, SI

qmore4:
	TZCNTQ AX, R11
	BLSRQ AX, AX
	TZCNTQ AX, R12
	BLSRQ AX, AX
	TZCNTQ AX, R13
	BLSRQ AX, AX
	TZCNTQ AX, BX
	BLSRQ AX, AX
	ADDL DX, R11
	ADDL DX, R12
	ADDL DX, R13
	ADDL DX, BX
	MOVL R11, (SI)
	MOVL R12, 4(SI)
	MOVL R13, 8(SI)
	MOVL BX, 12(SI)
	ADDQ $16, SI
	TESTQ AX, AX
	JNZ qmore4
	// SI, borrowed above, is p + (DX - base)
	MOVQ DX, SI
	SUBL base+16(FP), SI
	ADDQ p+0(FP), SI
	JMP qnext

// func findMasksAVX2(p *byte, blocks int, chars uint32, out *masks)
//
// For each of blocks 64-byte blocks at p, write masks to out of where the delimiter (chars bits 0-7) or the newline (8-15),
// the newline alone, the quote (16-23) and the comment byte (24-31) stand. See masks.
TEXT ·findMasksAVX2(SB), NOSPLIT, $0-32
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVL chars+16(FP), AX
	MOVQ out+24(FP), DI
	VMOVD AX, X15
	VPBROADCASTB X15, Y15 // delimiter
	SHRL $8, AX
	VMOVD AX, X14
	VPBROADCASTB X14, Y14 // newline
	SHRL $8, AX
	VMOVD AX, X13
	VPBROADCASTB X13, Y13 // quote
	SHRL $8, AX
	VMOVD AX, X12
	VPBROADCASTB X12, Y12 // comment
	TESTQ CX, CX
	JZ mdone

mloop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPCMPEQB Y14, Y0, Y2
	VPCMPEQB Y14, Y1, Y3
	VPCMPEQB Y15, Y0, Y4
	VPCMPEQB Y15, Y1, Y5
	VPOR Y2, Y4, Y4
	VPOR Y3, Y5, Y5
	VPMOVMSKB Y4, AX
	VPMOVMSKB Y5, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, 0(DI)
	VPMOVMSKB Y2, AX
	VPMOVMSKB Y3, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, 8(DI)
	VPCMPEQB Y13, Y0, Y2
	VPCMPEQB Y13, Y1, Y3
	VPMOVMSKB Y2, AX
	VPMOVMSKB Y3, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, 16(DI)
	VPCMPEQB Y12, Y0, Y2
	VPCMPEQB Y12, Y1, Y3
	VPMOVMSKB Y2, AX
	VPMOVMSKB Y3, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, 24(DI)
	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ mloop

mdone:
	VZEROUPPER
	RET

// The AVX-512 functions write positions by two macros: K1 has the bits of a block, BX their number; DI is where to write, Z12
// the block's base in each lane, Z10 the iota. WRITE_EIGHT writes the first eight and goes on at more if there are others,
// where WRITE_ALL writes them all and goes back to next.
#define WRITE_EIGHT(more) \
	VPCOMPRESSB.Z Z10, K1, Z1; \
	VPMOVZXBD     X1, Y2;      \
	VPADDD        Y12, Y2, Y2; \
	VMOVDQU       Y2, (DI);    \
	CMPQ          BX, $8;      \
	JGT           more

#define WRITE_ALL(next) \
	VPMOVZXBD     X1, Z2;      \
	VPADDD        Z12, Z2, Z2; \
	VMOVDQU32     Z2, (DI);    \
	CMPQ          BX, $16;     \
	JLE           next;        \
	VEXTRACTI32X4 $1, Z1, X2;  \
	VPMOVZXBD     X2, Z2;      \
	VPADDD        Z12, Z2, Z2; \
	VMOVDQU32     Z2, 64(DI);  \
	CMPQ          BX, $32;     \
	JLE           next;        \
	VEXTRACTI32X4 $2, Z1, X2;  \
	VPMOVZXBD     X2, Z2;      \
	VPADDD        Z12, Z2, Z2; \
	VMOVDQU32     Z2, 128(DI); \
	VEXTRACTI32X4 $3, Z1, X2;  \
	VPMOVZXBD     X2, Z2;      \
	VPADDD        Z12, Z2, Z2; \
	VMOVDQU32     Z2, 192(DI); \
	JMP           next

// func flattenAVX512(p *byte, blocks int, base uint32, chars uint32, pos *uint32) (count, newlines int, quotes uint64)
//
// As flattenAVX2, by compressing an iota (VBMI2). Up to 15 words behind the last position are overwritten. Instructions on mask
// registers are few and slow, so all but the compression is done on bytes: x ^ c is 0 where c stands.
TEXT ·flattenAVX512(SB), NOSPLIT, $0-56
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVL base+16(FP), DX
	MOVL chars+20(FP), AX
	MOVQ pos+24(FP), DI
	VPBROADCASTB AX, Z15   // delimiter
	SHRL $8, AX
	VPBROADCASTB AX, Z14   // newline
	SHRL $8, AX
	VPBROADCASTB AX, Z13   // quote
	VPBROADCASTD DX, Z12
	MOVL $64, AX
	VPBROADCASTD AX, Z11
	VMOVDQU64 flattenIota<>(SB), Z10
	VPTERNLOGD $0xff, Z9, Z9, Z9 // 0 once the lane met a quote
	MOVL $1, AX
	VPBROADCASTB AX, Z8
	VPXORQ Z7, Z7, Z7      // zero
	MOVQ CX, R8
	SHLQ $6, R8            // bytes that are no newlines, subtracted from all
	TESTQ CX, CX
	JZ done5

outer5:
	// A byte lane counts to 255.
	MOVQ $255, R9
	CMPQ CX, R9
	CMOVQLT CX, R9
	SUBQ R9, CX
	VPXORQ Z6, Z6, Z6

loop5:
	VMOVDQU64 (SI), Z0
	VPXORQ Z15, Z0, Z1
	VPXORQ Z14, Z0, Z2
	VPXORQ Z13, Z0, Z3
	VPMINUB Z1, Z2, Z1
	VPMINUB Z3, Z9, Z9
	VPMINUB Z8, Z2, Z2
	VPADDB Z2, Z6, Z6
	VPTESTNMB Z1, Z1, K1
	KMOVQ K1, BX
	POPCNTQ BX, BX
	WRITE_EIGHT(more5)

next5:
	LEAQ (DI)(BX*4), DI
	VPADDD Z11, Z12, Z12
	ADDQ $64, SI
	DECQ R9
	JNZ loop5

	VPSADBW Z7, Z6, Z6
	VEXTRACTI64X4 $1, Z6, Y0
	VPADDQ Y6, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ X0, X1, X0
	VPSRLDQ $8, X0, X1
	VPADDQ X0, X1, X0
	VMOVQ X0, AX
	SUBQ AX, R8
	TESTQ CX, CX
	JNZ outer5

done5:
	SUBQ pos+24(FP), DI
	SHRQ $2, DI
	MOVQ DI, count+32(FP)
	MOVQ R8, newlines+40(FP)
	VPTESTNMB Z9, Z9, K1
	KMOVQ K1, AX
	MOVQ AX, quotes+48(FP)
	VZEROUPPER
	RET

more5:
	WRITE_ALL(next5)

// func flattenQuotedAVX512(p *byte, blocks int, base uint32, chars uint32, pos *uint32, state *parity) (count, newlines int)
//
// As flattenQuotedAVX2, in the manner of flattenAVX512.
TEXT ·flattenQuotedAVX512(SB), NOSPLIT, $0-56
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVL base+16(FP), DX
	MOVL chars+20(FP), AX
	MOVQ pos+24(FP), DI
	VPBROADCASTB AX, Z15   // delimiter
	SHRL $8, AX
	VPBROADCASTB AX, Z14   // newline
	SHRL $8, AX
	VPBROADCASTB AX, Z13   // quote
	VPBROADCASTD DX, Z12
	MOVL $64, AX
	VPBROADCASTD AX, Z11
	VMOVDQU64 flattenIota<>(SB), Z10
	VPCMPEQB X9, X9, X9    // all ones: carry-less multiplication by it is a prefix xor
	MOVL $1, AX
	VPBROADCASTB AX, Z16
	VPXORQ Z7, Z7, Z7      // zero
	VPXORQ Z5, Z5, Z5      // delimiters outside quotes
	MOVQ state+32(FP), AX
	MOVQ 0(AX), R8         // 0 or ^0: within quotes
	MOVQ 8(AX), R9         // 0 or 1: an opening quote may come next
	MOVQ 16(AX), R15       // violations so far
	MOVQ 24(AX), R14       // the same for whoever came in the other way
	MOVQ $63, R12
	TESTQ CX, CX
	JZ qdone5

qouter5:
	// A byte lane counts to 255.
	MOVQ $255, DX
	CMPQ CX, DX
	CMOVQLT CX, DX
	SUBQ DX, CX
	VPXORQ Z6, Z6, Z6

qloop5:
	VMOVDQU64 (SI), Z0
	VPXORQ Z15, Z0, Z1
	VPXORQ Z14, Z0, Z2
	VPCMPEQB Z13, Z0, K3
	VPMINUB Z1, Z2, Z1
	VPMINUB Z16, Z2, Z2    // 0 for a newline, 1 for the rest
	VPTESTNMB Z1, Z1, K1
	KMOVQ K3, AX           // quotes
	VMOVQ AX, X8
	VPCLMULQDQ $0, X9, X8, X8
	VMOVQ X8, R10
	XORQ R8, R10           // within quotes, the opening quote included
	SARXQ R12, R10, R8
	KMOVQ K1, BX           // delimiters and newlines

	LEAQ (AX)(BX*1), R11   // what an opening quote may follow
	LEAQ (R9)(R11*2), R13
	SHRXQ R12, R11, R9
	ANDNQ AX, R13, R13     // quotes that follow something else
	ANDNQ R13, R10, R11    // ... and close: they open for whoever came in the other way
	ORQ R11, R14
	ANDQ R10, R13          // ... and open
	ORQ R13, R15

	ANDNQ BX, R10, BX
	KMOVQ BX, K1
	POPCNTQ BX, BX
	VPADDB Z2, Z6, K1, Z6
	WRITE_EIGHT(qmore5)

qnext5:
	LEAQ (DI)(BX*4), DI
	VPADDD Z11, Z12, Z12
	ADDQ $64, SI
	DECQ DX
	JNZ qloop5

	VPSADBW Z7, Z6, Z6
	VPADDQ Z6, Z5, Z5
	TESTQ CX, CX
	JNZ qouter5

qdone5:
	MOVQ state+32(FP), AX
	MOVQ R8, 0(AX)
	MOVQ R9, 8(AX)
	MOVQ R15, 16(AX)
	MOVQ R14, 24(AX)
	SUBQ pos+24(FP), DI
	SHRQ $2, DI
	MOVQ DI, count+40(FP)
	VEXTRACTI64X4 $1, Z5, Y0
	VPADDQ Y5, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ X0, X1, X0
	VPSRLDQ $8, X0, X1
	VPADDQ X0, X1, X0
	VMOVQ X0, AX
	SUBQ AX, DI
	MOVQ DI, newlines+48(FP)
	VZEROUPPER
	RET

qmore5:
	WRITE_ALL(qnext5)

// func flattenMasksAVX512(m *masks, blocks int, base uint32, pos *uint32) (count int)
//
// For each of blocks masks at m: write base + offset of every bit of ends to pos, as flattenAVX512 does.
TEXT ·flattenMasksAVX512(SB), NOSPLIT, $0-40
	MOVQ m+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVL base+16(FP), DX
	MOVQ pos+24(FP), DI
	VPBROADCASTD DX, Z12
	MOVL $64, AX
	VPBROADCASTD AX, Z11
	VMOVDQU64 flattenIota<>(SB), Z10

mloop5:
	MOVQ (SI), BX
	KMOVQ BX, K1
	POPCNTQ BX, BX
	WRITE_EIGHT(mmore5)

mnext5:
	LEAQ (DI)(BX*4), DI
	VPADDD Z11, Z12, Z12
	ADDQ $32, SI
	DECQ CX
	JNZ mloop5
	SUBQ pos+24(FP), DI
	SHRQ $2, DI
	MOVQ DI, count+32(FP)
	VZEROUPPER
	RET

mmore5:
	WRITE_ALL(mnext5)

DATA flattenIota<>+0(SB)/8, $0x706050403020100
DATA flattenIota<>+8(SB)/8, $0xf0e0d0c0b0a0908
DATA flattenIota<>+16(SB)/8, $0x1716151413121110
DATA flattenIota<>+24(SB)/8, $0x1f1e1d1c1b1a1918
DATA flattenIota<>+32(SB)/8, $0x2726252423222120
DATA flattenIota<>+40(SB)/8, $0x2f2e2d2c2b2a2928
DATA flattenIota<>+48(SB)/8, $0x3736353433323130
DATA flattenIota<>+56(SB)/8, $0x3f3e3d3c3b3a3938
GLOBL flattenIota<>(SB), RODATA|NOPTR, $64
