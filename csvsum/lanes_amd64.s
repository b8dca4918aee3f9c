//go:build !purego

#include "textflag.h"

// All but the decimal sign at byte 10.
DATA lanesDigits<>+0(SB)/8, $0xffffffffffffffff
DATA lanesDigits<>+8(SB)/8, $0xffffffffff00ffff
DATA lanesDigits<>+16(SB)/8, $0xffffffffffffffff
DATA lanesDigits<>+24(SB)/8, $0xffffffffffffffff
GLOBL lanesDigits<>(SB), RODATA|NOPTR, $32

// Weights 10, 1 for each pair of bytes.
DATA lanesWeights<>+0(SB)/8, $0x010a010a010a010a
DATA lanesWeights<>+8(SB)/8, $0x010a010a010a010a
DATA lanesWeights<>+16(SB)/8, $0x010a010a010a010a
DATA lanesWeights<>+24(SB)/8, $0x010a010a010a010a
GLOBL lanesWeights<>(SB), RODATA|NOPTR, $32

// 16 x int16 +1, 16 x -1; then 32 bytes 0, 32 bytes 0xff, 32 bytes 0: a window on the latter masks any stretch.
DATA lanesTables<>+0(SB)/8, $0x1000100010001
DATA lanesTables<>+8(SB)/8, $0x1000100010001
DATA lanesTables<>+16(SB)/8, $0x1000100010001
DATA lanesTables<>+24(SB)/8, $0x1000100010001
DATA lanesTables<>+32(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+40(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+48(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+56(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+64(SB)/8, $0x0
DATA lanesTables<>+72(SB)/8, $0x0
DATA lanesTables<>+80(SB)/8, $0x0
DATA lanesTables<>+88(SB)/8, $0x0
DATA lanesTables<>+96(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+104(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+112(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+120(SB)/8, $0xffffffffffffffff
DATA lanesTables<>+128(SB)/8, $0x0
DATA lanesTables<>+136(SB)/8, $0x0
DATA lanesTables<>+144(SB)/8, $0x0
DATA lanesTables<>+152(SB)/8, $0x0
GLOBL lanesTables<>(SB), RODATA|NOPTR, $160

// func addCellsAVX2(a *cellRun) (odd int)
//
// See cellRun. Per cell: find the decimal sign in the first 32 bytes, load 32 bytes so that it lands on byte 10, blank what
// is not of the cell, check the digits, multiply pairs of digits by (10, 1), negate after a minus, add to 16 lanes of int16.
TEXT ·addCellsAVX2(SB), NOSPLIT, $0-16
	MOVQ a+0(FP), AX
	MOVQ 0(AX), SI         // buf
	MOVQ 8(AX), DI         // pos
	MOVQ 16(AX), R8        // records
	MOVQ 32(AX), R11
	MOVQ 40(AX), CX
	LEAQ (R11)(CX*4), R11  // end of cols
	MOVQ 56(AX), R13       // odd
	MOVBLZX 68(AX), R10    // quote
	VPBROADCASTB 64(AX), Y15 // decimal sign
	MOVL $0x30, BX
	VMOVD BX, X14
	VPBROADCASTB X14, Y14  // '0'
	MOVL $9, BX
	VMOVD BX, X13
	VPBROADCASTB X13, Y13  // 9
	VMOVDQU lanesWeights<>(SB), Y12
	VMOVDQU lanesDigits<>(SB), Y11
	LEAQ lanesTables<>(SB), R9

record:
	MOVQ a+0(FP), AX
	MOVQ 32(AX), CX        // cols
	MOVQ 48(AX), R12       // acc

cell:
	MOVL (CX), AX
	MOVLQSX -4(DI)(AX*4), BX
	MOVL (DI)(AX*4), DX
	LEAQ 1(SI)(BX*1), BX   // first byte of the cell
	ADDQ SI, DX            // its end
	CMPB (BX), R10
	JEQ quoted

number:
	XORL R14, R14
	CMPB (BX), $0x2d
	SETEQ R14              // 1 after a minus
	MOVQ DX, R15
	SUBQ BX, R15           // length
	CMPQ R15, $32
	JHI trim
	VPCMPEQB (BX), Y15, Y0
	VPMOVMSKB Y0, AX
	BTSQ R15, AX
	TZCNTQ AX, AX          // offset of the decimal sign, or the length
	SUBQ $10, AX
	SUBQ AX, R15           // end of the cell in a load from AX on
	VMOVDQU (BX)(AX*1), Y1
	NEGQ AX
	ADDQ R14, AX           // first digit in the load: 0..9 are 10..1 integer digits
	SHLQ $5, R14
	CMPQ AX, $9
	JHI trim
	CMPQ R15, $32
	JHI trim
	NEGQ AX
	NEGQ R15
	VPSUBB Y14, Y1, Y1
	VPAND 96(R9)(AX*1), Y1, Y1
	VPAND 128(R9)(R15*1), Y11, Y2
	VPAND Y1, Y2, Y1
	VPSUBUSB Y13, Y1, Y2
	VPTEST Y2, Y2
	JNZ trim
	VPMADDUBSW Y12, Y1, Y1
	VPSIGNW (R9)(R14*1), Y1, Y1
	VPADDW (R12), Y1, Y1
	VMOVDQU Y1, (R12)

next:
	ADDQ $32, R12
	ADDQ $4, CX
	CMPQ CX, R11
	JLT cell
	MOVQ a+0(FP), AX
	ADDQ 24(AX), DI        // stride
	DECQ R8
	JNZ record

	SUBQ 56(AX), R13
	SHRQ $3, R13
	MOVQ R13, odd+8(FP)
	VZEROUPPER
	RET

quoted:
	// "12.5": step inside, provided the cell ends with a quote as well (in front of the CR of a CRLF).
	CMPB (DX), $0x0a
	JNE closing
	CMPB -1(DX), $0x0d
	JNE closing
	DECQ DX

closing:
	MOVQ DX, R15
	SUBQ BX, R15
	CMPQ R15, $2
	JLT odd
	CMPB -1(DX), R10
	JNE odd
	INCQ BX
	DECQ DX
	JMP number

trim:
	CMPQ BX, DX
	JGE empty
	CMPB (DX), $0x0a
	JNE blanks
	CMPB -1(DX), $0x0d
	JNE blanks
	DECQ DX                // the CR of a CRLF
	JMP number

blanks:
	CMPB (BX), $0x20
	JEQ left
	CMPB (BX), $0x09
	JEQ left
	CMPB -1(DX), $0x20
	JEQ right
	CMPB -1(DX), $0x09
	JEQ right

odd:
	// Not for here: note which position and which column it was.
	MOVQ a+0(FP), AX
	MOVQ DI, BX
	SUBQ 8(AX), BX
	SHRQ $2, BX
	MOVL (CX), DX
	ADDL DX, BX
	MOVL BX, (R13)
	MOVQ CX, DX
	SUBQ 32(AX), DX
	SHRQ $2, DX
	MOVL DX, 4(R13)
	ADDQ $8, R13
	JMP next

left:
	INCQ BX
	JMP number

right:
	DECQ DX
	JMP number

empty:
	MOVQ a+0(FP), AX
	MOVQ CX, DX
	SUBQ 32(AX), DX
	MOVQ 72(AX), AX        // empty
	TESTQ AX, AX
	JZ odd
	INCQ (AX)(DX*2)
	JMP next

// As lanesTables up to the signs; then, as masks of 32 bytes: from byte 0..9 on, and up to byte 0..32 without byte 10.
DATA lanesMasks<>+0(SB)/8, $0x1000100010001
DATA lanesMasks<>+8(SB)/8, $0x1000100010001
DATA lanesMasks<>+16(SB)/8, $0x1000100010001
DATA lanesMasks<>+24(SB)/8, $0x1000100010001
DATA lanesMasks<>+32(SB)/8, $0xffffffffffffffff
DATA lanesMasks<>+40(SB)/8, $0xffffffffffffffff
DATA lanesMasks<>+48(SB)/8, $0xffffffffffffffff
DATA lanesMasks<>+56(SB)/8, $0xffffffffffffffff
DATA lanesMasks<>+64(SB)/8, $0xfffffffeffffffff
DATA lanesMasks<>+72(SB)/8, $0xfffffff8fffffffc
DATA lanesMasks<>+80(SB)/8, $0xffffffe0fffffff0
DATA lanesMasks<>+88(SB)/8, $0xffffff80ffffffc0
DATA lanesMasks<>+96(SB)/8, $0xfffffe00ffffff00
DATA lanesMasks<>+104(SB)/8, $0x100000000
DATA lanesMasks<>+112(SB)/8, $0x700000003
DATA lanesMasks<>+120(SB)/8, $0x1f0000000f
DATA lanesMasks<>+128(SB)/8, $0x7f0000003f
DATA lanesMasks<>+136(SB)/8, $0x1ff000000ff
DATA lanesMasks<>+144(SB)/8, $0x3ff000003ff
DATA lanesMasks<>+152(SB)/8, $0x1bff00000bff
DATA lanesMasks<>+160(SB)/8, $0x7bff00003bff
DATA lanesMasks<>+168(SB)/8, $0x1fbff0000fbff
DATA lanesMasks<>+176(SB)/8, $0x7fbff0003fbff
DATA lanesMasks<>+184(SB)/8, $0x1ffbff000ffbff
DATA lanesMasks<>+192(SB)/8, $0x7ffbff003ffbff
DATA lanesMasks<>+200(SB)/8, $0x1fffbff00fffbff
DATA lanesMasks<>+208(SB)/8, $0x7fffbff03fffbff
DATA lanesMasks<>+216(SB)/8, $0x1ffffbff0ffffbff
DATA lanesMasks<>+224(SB)/8, $0x7ffffbff3ffffbff
DATA lanesMasks<>+232(SB)/8, $0xfffffbff
GLOBL lanesMasks<>(SB), RODATA|NOPTR, $240

// func addCellsAVX512(a *cellRun) (odd int)
//
// See cellRun. Per cell: find the decimal sign in the first 32 bytes, load 32 bytes so that it lands on byte 10, blank what
// is not of the cell, check the digits, multiply pairs of digits by (10, 1), negate after a minus, add to 16 lanes of int16.
TEXT ·addCellsAVX512(SB), NOSPLIT, $0-16
	MOVQ a+0(FP), AX
	MOVQ 0(AX), SI         // buf
	MOVQ 8(AX), DI         // pos
	MOVQ 16(AX), R8        // records
	MOVQ 32(AX), R11
	MOVQ 40(AX), CX
	LEAQ (R11)(CX*4), R11  // end of cols
	MOVQ 56(AX), R13       // odd
	MOVBLZX 68(AX), R10    // quote
	VPBROADCASTB 64(AX), Y15 // decimal sign
	MOVL $0x30, BX
	VMOVD BX, X14
	VPBROADCASTB X14, Y14  // '0'
	MOVL $9, BX
	VMOVD BX, X13
	VPBROADCASTB X13, Y13  // 9
	VMOVDQU lanesWeights<>(SB), Y12
	LEAQ lanesMasks<>(SB), R9

record:
	MOVQ a+0(FP), AX
	MOVQ 32(AX), CX        // cols
	MOVQ 48(AX), R12       // acc

cell:
	MOVL (CX), AX
	MOVLQSX -4(DI)(AX*4), BX
	MOVL (DI)(AX*4), DX
	LEAQ 1(SI)(BX*1), BX   // first byte of the cell
	ADDQ SI, DX            // its end
	CMPB (BX), R10
	JEQ quoted

number:
	XORL R14, R14
	CMPB (BX), $0x2d
	SETEQ R14              // 1 after a minus
	MOVQ DX, R15
	SUBQ BX, R15           // length
	CMPQ R15, $32
	JHI trim
	VPCMPEQB (BX), Y15, K1
	KMOVD K1, AX
	BTSQ R15, AX
	TZCNTQ AX, AX          // offset of the decimal sign, or the length
	SUBQ $10, AX           // where to load from, relative to the cell
	SUBQ AX, R15           // end of the cell in the load
	SUBQ AX, R14           // first digit in the load: 0..9 are 10..1 integer digits
	CMPQ R14, $9
	JHI trim
	CMPQ R15, $32
	JHI trim
	MOVL 104(R9)(R15*4), R15
	ANDL 64(R9)(R14*4), R15
	KMOVD R15, K1
	VMOVDQU8.Z (BX)(AX*1), K1, Y1
	VPSUBB.Z Y14, Y1, K1, Y1
	VPCMPUB $6, Y13, Y1, K2 // greater than 9
	KORTESTD K2, K2
	JNZ trim
	ADDQ AX, R14
	SHLQ $5, R14
	VPMADDUBSW Y12, Y1, Y1
	VPSIGNW (R9)(R14*1), Y1, Y1
	VPADDW (R12), Y1, Y1
	VMOVDQU Y1, (R12)

next:
	ADDQ $32, R12
	ADDQ $4, CX
	CMPQ CX, R11
	JLT cell
	MOVQ a+0(FP), AX
	ADDQ 24(AX), DI        // stride
	DECQ R8
	JNZ record

	SUBQ 56(AX), R13
	SHRQ $3, R13
	MOVQ R13, odd+8(FP)
	VZEROUPPER
	RET

quoted:
	// "12.5": step inside, provided the cell ends with a quote as well (in front of the CR of a CRLF).
	CMPB (DX), $0x0a
	JNE closing
	CMPB -1(DX), $0x0d
	JNE closing
	DECQ DX

closing:
	MOVQ DX, R15
	SUBQ BX, R15
	CMPQ R15, $2
	JLT odd
	CMPB -1(DX), R10
	JNE odd
	INCQ BX
	DECQ DX
	JMP number

trim:
	CMPQ BX, DX
	JGE empty
	CMPB (DX), $0x0a
	JNE blanks
	CMPB -1(DX), $0x0d
	JNE blanks
	DECQ DX                // the CR of a CRLF
	JMP number

blanks:
	CMPB (BX), $0x20
	JEQ left
	CMPB (BX), $0x09
	JEQ left
	CMPB -1(DX), $0x20
	JEQ right
	CMPB -1(DX), $0x09
	JEQ right

odd:
	// Not for here: note which position and which column it was.
	MOVQ a+0(FP), AX
	MOVQ DI, BX
	SUBQ 8(AX), BX
	SHRQ $2, BX
	MOVL (CX), DX
	ADDL DX, BX
	MOVL BX, (R13)
	MOVQ CX, DX
	SUBQ 32(AX), DX
	SHRQ $2, DX
	MOVL DX, 4(R13)
	ADDQ $8, R13
	JMP next

left:
	INCQ BX
	JMP number

right:
	DECQ DX
	JMP number

empty:
	MOVQ a+0(FP), AX
	MOVQ CX, DX
	SUBQ 32(AX), DX
	MOVQ 72(AX), AX        // empty
	TESTQ AX, AX
	JZ odd
	INCQ (AX)(DX*2)
	JMP next
