//go:build amd64 && !noasm

#include "textflag.h"

// func pause()
TEXT ·pause(SB), NOSPLIT, $0-0
	PAUSE
	PAUSE
	PAUSE
	PAUSE
	RET

// func transpose4(src *float32, lds int, dst *float32, ldd int, blocks int)
TEXT ·transpose4(SB), NOSPLIT, $0-40
	MOVQ src+0(FP), SI
	MOVQ lds+8(FP), R8
	MOVQ dst+16(FP), DI
	MOVQ ldd+24(FP), R9
	MOVQ blocks+32(FP), CX
	SHLQ $2, R8
	SHLQ $2, R9
	LEAQ (SI)(R8*1), R10
	LEAQ (SI)(R8*2), R11
	LEAQ (R10)(R8*2), R12

tloop:
	VMOVUPS   (SI), X0
	VMOVUPS   (R10), X1
	VMOVUPS   (R11), X2
	VMOVUPS   (R12), X3
	VUNPCKLPS X1, X0, X4
	VUNPCKHPS X1, X0, X5
	VUNPCKLPS X3, X2, X6
	VUNPCKHPS X3, X2, X7
	VUNPCKLPD X6, X4, X8
	VUNPCKHPD X6, X4, X9
	VUNPCKLPD X7, X5, X10
	VUNPCKHPD X7, X5, X11
	VMOVUPS   X8, (DI)
	VMOVUPS   X9, (DI)(R9*1)
	LEAQ      (DI)(R9*2), DI
	VMOVUPS   X10, (DI)
	VMOVUPS   X11, (DI)(R9*1)
	LEAQ      (DI)(R9*2), DI
	ADDQ      $16, SI
	ADDQ      $16, R10
	ADDQ      $16, R11
	ADDQ      $16, R12
	DECQ      CX
	JNZ       tloop
	VZEROUPPER
	RET

// func dotAVX2(x, y *float32, n int) float32, n a multiple of 8
TEXT ·dotAVX2(SB), NOSPLIT, $0-28
	MOVQ   x+0(FP), SI
	MOVQ   y+8(FP), DI
	MOVQ   n+16(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1

	// two accumulators, eight lanes each, added at the end
dloop16:
	CMPQ        CX, $16
	JL          dloop8
	VMOVUPS     (SI), Y2
	VMOVUPS     32(SI), Y3
	VFMADD231PS (DI), Y2, Y0
	VFMADD231PS 32(DI), Y3, Y1
	ADDQ        $64, SI
	ADDQ        $64, DI
	SUBQ        $16, CX
	JMP         dloop16

dloop8:
	TESTQ       CX, CX
	JZ          ddone
	VMOVUPS     (SI), Y2
	VFMADD231PS (DI), Y2, Y0

ddone:
	VADDPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VHADDPS      X0, X0, X0
	VHADDPS      X0, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET

// func axpyAVX2(a float32, x, y *float32, n int), n a multiple of 8
TEXT ·axpyAVX2(SB), NOSPLIT, $0-32
	VBROADCASTSS a+0(FP), Y0
	MOVQ         x+8(FP), SI
	MOVQ         y+16(FP), DI
	MOVQ         n+24(FP), CX

aloop:
	VMOVUPS     (DI), Y1
	VFMADD231PS (SI), Y0, Y1
	VMOVUPS     Y1, (DI)
	ADDQ        $32, SI
	ADDQ        $32, DI
	SUBQ        $8, CX
	JNZ         aloop
	VZEROUPPER
	RET

// func rotateAVX2(x, cos, sin *float32, sign float32, half, heads int), half a positive multiple of 8
TEXT ·rotateAVX2(SB), NOSPLIT, $0-48
	MOVQ         x+0(FP), DI
	MOVQ         cos+8(FP), SI
	MOVQ         sin+16(FP), DX
	VBROADCASTSS sign+24(FP), Y15
	MOVQ         half+32(FP), CX
	MOVQ         heads+40(FP), R8
	LEAQ         (DI)(CX*4), BX

rhead:
	XORQ AX, AX

rloop:
	VMOVUPS      (DI)(AX*4), Y0
	VMOVUPS      (BX)(AX*4), Y1
	VMOVUPS      (SI)(AX*4), Y2
	VMULPS       (DX)(AX*4), Y15, Y3
	VMULPS       Y2, Y0, Y4
	VFNMADD231PS Y3, Y1, Y4
	VMULPS       Y2, Y1, Y5
	VFMADD231PS  Y3, Y0, Y5
	VMOVUPS      Y4, (DI)(AX*4)
	VMOVUPS      Y5, (BX)(AX*4)
	ADDQ         $8, AX
	CMPQ         AX, CX
	JL           rloop
	LEAQ         (DI)(CX*8), DI
	LEAQ         (BX)(CX*8), BX
	DECQ         R8
	JNZ          rhead
	VZEROUPPER
	RET

// func dot3AVX2(x, y, z *float32, n int) float32, n a positive multiple of 8
TEXT ·dot3AVX2(SB), NOSPLIT, $0-36
	MOVQ   x+0(FP), DI
	MOVQ   y+8(FP), SI
	MOVQ   z+16(FP), DX
	MOVQ   n+24(FP), CX
	XORQ   AX, AX
	VXORPS Y0, Y0, Y0

d3loop:
	VMOVUPS     (DI)(AX*4), Y1
	VMULPS      (SI)(AX*4), Y1, Y1
	VFMADD231PS (DX)(AX*4), Y1, Y0
	ADDQ        $8, AX
	CMPQ        AX, CX
	JL          d3loop

	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VHADDPS      X0, X0, X0
	VHADDPS      X0, X0, X0
	VMOVSS       X0, ret+32(FP)
	VZEROUPPER
	RET

// func dotPathAVX2(q, base *float32, nodes *int32, stride int, out *float32, d, n int), d a positive multiple of 8
TEXT ·dotPathAVX2(SB), NOSPLIT, $0-56
	MOVQ q+0(FP), SI
	MOVQ base+8(FP), DI
	MOVQ nodes+16(FP), BX
	MOVQ stride+24(FP), R8
	MOVQ out+32(FP), DX
	MOVQ d+40(FP), CX
	MOVQ n+48(FP), R9
	SHLQ $2, R8

dpnode:
	MOVLQSX (BX), R10
	IMULQ   R8, R10
	ADDQ    DI, R10
	VXORPS  Y0, Y0, Y0
	VXORPS  Y1, Y1, Y1
	XORQ    AX, AX
	MOVQ    CX, R11
	ANDQ    $~15, R11
	JZ      dptail

dploop:
	VMOVUPS     (SI)(AX*4), Y2
	VMOVUPS     32(SI)(AX*4), Y3
	VFMADD231PS (R10)(AX*4), Y2, Y0
	VFMADD231PS 32(R10)(AX*4), Y3, Y1
	ADDQ        $16, AX
	CMPQ        AX, R11
	JL          dploop

dptail:
	CMPQ        AX, CX
	JE          dpsum
	VMOVUPS     (SI)(AX*4), Y2
	VFMADD231PS (R10)(AX*4), Y2, Y0

dpsum:
	VADDPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VHADDPS      X0, X0, X0
	VHADDPS      X0, X0, X0
	VMOVSS       X0, (DX)
	ADDQ         $4, DX
	ADDQ         $4, BX
	DECQ         R9
	JNZ          dpnode
	VZEROUPPER
	RET

// func axpyPathAVX2(y, base *float32, nodes *int32, stride int, p *float32, d, n int), d a positive multiple of 8
TEXT ·axpyPathAVX2(SB), NOSPLIT, $0-56
	MOVQ y+0(FP), SI
	MOVQ base+8(FP), DI
	MOVQ stride+24(FP), R8
	MOVQ d+40(FP), CX
	SHLQ $2, R8

apchunk32:
	CMPQ    CX, $32
	JL      apchunk8
	MOVQ    nodes+16(FP), BX
	MOVQ    p+32(FP), DX
	MOVQ    n+48(FP), R9
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3

apnode32:
	MOVLQSX      (BX), R10
	IMULQ        R8, R10
	VBROADCASTSS (DX), Y4
	VFMADD231PS  (DI)(R10*1), Y4, Y0
	VFMADD231PS  32(DI)(R10*1), Y4, Y1
	VFMADD231PS  64(DI)(R10*1), Y4, Y2
	VFMADD231PS  96(DI)(R10*1), Y4, Y3
	ADDQ         $4, BX
	ADDQ         $4, DX
	DECQ         R9
	JNZ          apnode32
	VMOVUPS      Y0, (SI)
	VMOVUPS      Y1, 32(SI)
	VMOVUPS      Y2, 64(SI)
	VMOVUPS      Y3, 96(SI)
	ADDQ         $128, SI
	ADDQ         $128, DI
	SUBQ         $32, CX
	JMP          apchunk32

apchunk8:
	TESTQ   CX, CX
	JZ      apdone
	MOVQ    nodes+16(FP), BX
	MOVQ    p+32(FP), DX
	MOVQ    n+48(FP), R9
	VMOVUPS (SI), Y0

apnode8:
	MOVLQSX      (BX), R10
	IMULQ        R8, R10
	VBROADCASTSS (DX), Y4
	VFMADD231PS  (DI)(R10*1), Y4, Y0
	ADDQ         $4, BX
	ADDQ         $4, DX
	DECQ         R9
	JNZ          apnode8
	VMOVUPS      Y0, (SI)
	ADDQ         $32, SI
	ADDQ         $32, DI
	SUBQ         $8, CX
	JMP          apchunk8

apdone:
	VZEROUPPER
	RET
