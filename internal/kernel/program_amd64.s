//go:build !purego

#include "textflag.h"
#include "funcdata.h"

// The only assembly that is written by hand: it calls what the generator wrote, by address.

// func runProgram(first, end *uint64, steps int)
//
// An operation is a number of words, see program.go: the address of a function, the number of fours of argument words and of table
// words, the operation's size in bytes; the arguments and how far each moves from step to step; the table and how far each of it moves.
// The arguments are copied to where the function finds them and moved on; the table, which a function reads in place, moves afterwards.
TEXT ·runProgram(SB), 0, $144-24
	NO_LOCAL_POINTERS
	MOVQ steps+16(FP), AX
	MOVQ AX, 136(SP)

step:
	MOVQ first+0(FP), SI

operation:
	MOVQ 8(SI), CX
	LEAQ 32(SI), R8
	MOVQ CX, R9
	SHLQ $5, R9
	ADDQ R8, R9
	XORQ R10, R10

arguments:
	VMOVDQU (R8)(R10*1), Y0
	VPADDQ  (R9)(R10*1), Y0, Y1
	VMOVDQU Y0, (SP)(R10*1)
	VMOVDQU Y1, (R8)(R10*1)
	ADDQ    $32, R10
	DECQ    CX
	JNE     arguments

	MOVQ SI, 128(SP)
	MOVQ (SI), AX
	CALL AX
	MOVQ 128(SP), SI
	MOVQ 16(SI), CX
	TESTQ CX, CX
	JEQ  next

	MOVQ 8(SI), R8
	SHLQ $6, R8
	LEAQ 32(SI)(R8*1), R8
	MOVQ CX, R9
	SHLQ $5, R9
	ADDQ R8, R9
	XORQ R10, R10

table:
	VMOVDQU (R8)(R10*1), Y0
	VPADDQ  (R9)(R10*1), Y0, Y0
	VMOVDQU Y0, (R8)(R10*1)
	ADDQ    $32, R10
	DECQ    CX
	JNE     table

next:
	ADDQ 24(SI), SI
	CMPQ SI, end+8(FP)
	JNE  operation
	DECQ 136(SP)
	JNE  step
	VZEROUPPER
	RET
