//go:build amd64 && !noasm

#include "textflag.h"

// Each constant eight times, to be a memory operand.
DATA explo<>+0(SB)/4, $0xc2ae0000
DATA explo<>+4(SB)/4, $0xc2ae0000
DATA explo<>+8(SB)/4, $0xc2ae0000
DATA explo<>+12(SB)/4, $0xc2ae0000
DATA explo<>+16(SB)/4, $0xc2ae0000
DATA explo<>+20(SB)/4, $0xc2ae0000
DATA explo<>+24(SB)/4, $0xc2ae0000
DATA explo<>+28(SB)/4, $0xc2ae0000
GLOBL explo<>(SB), RODATA|NOPTR, $32

DATA exphi<>+0(SB)/4, $0x42b00000
DATA exphi<>+4(SB)/4, $0x42b00000
DATA exphi<>+8(SB)/4, $0x42b00000
DATA exphi<>+12(SB)/4, $0x42b00000
DATA exphi<>+16(SB)/4, $0x42b00000
DATA exphi<>+20(SB)/4, $0x42b00000
DATA exphi<>+24(SB)/4, $0x42b00000
DATA exphi<>+28(SB)/4, $0x42b00000
GLOBL exphi<>(SB), RODATA|NOPTR, $32

DATA explog2e<>+0(SB)/4, $0x3fb8aa3b
DATA explog2e<>+4(SB)/4, $0x3fb8aa3b
DATA explog2e<>+8(SB)/4, $0x3fb8aa3b
DATA explog2e<>+12(SB)/4, $0x3fb8aa3b
DATA explog2e<>+16(SB)/4, $0x3fb8aa3b
DATA explog2e<>+20(SB)/4, $0x3fb8aa3b
DATA explog2e<>+24(SB)/4, $0x3fb8aa3b
DATA explog2e<>+28(SB)/4, $0x3fb8aa3b
GLOBL explog2e<>(SB), RODATA|NOPTR, $32

DATA expln2hi<>+0(SB)/4, $0x3f317200
DATA expln2hi<>+4(SB)/4, $0x3f317200
DATA expln2hi<>+8(SB)/4, $0x3f317200
DATA expln2hi<>+12(SB)/4, $0x3f317200
DATA expln2hi<>+16(SB)/4, $0x3f317200
DATA expln2hi<>+20(SB)/4, $0x3f317200
DATA expln2hi<>+24(SB)/4, $0x3f317200
DATA expln2hi<>+28(SB)/4, $0x3f317200
GLOBL expln2hi<>(SB), RODATA|NOPTR, $32

DATA expln2lo<>+0(SB)/4, $0x35bfbe8e
DATA expln2lo<>+4(SB)/4, $0x35bfbe8e
DATA expln2lo<>+8(SB)/4, $0x35bfbe8e
DATA expln2lo<>+12(SB)/4, $0x35bfbe8e
DATA expln2lo<>+16(SB)/4, $0x35bfbe8e
DATA expln2lo<>+20(SB)/4, $0x35bfbe8e
DATA expln2lo<>+24(SB)/4, $0x35bfbe8e
DATA expln2lo<>+28(SB)/4, $0x35bfbe8e
GLOBL expln2lo<>(SB), RODATA|NOPTR, $32

DATA expc6<>+0(SB)/4, $0x3ab60b61
DATA expc6<>+4(SB)/4, $0x3ab60b61
DATA expc6<>+8(SB)/4, $0x3ab60b61
DATA expc6<>+12(SB)/4, $0x3ab60b61
DATA expc6<>+16(SB)/4, $0x3ab60b61
DATA expc6<>+20(SB)/4, $0x3ab60b61
DATA expc6<>+24(SB)/4, $0x3ab60b61
DATA expc6<>+28(SB)/4, $0x3ab60b61
GLOBL expc6<>(SB), RODATA|NOPTR, $32

DATA expc5<>+0(SB)/4, $0x3c088889
DATA expc5<>+4(SB)/4, $0x3c088889
DATA expc5<>+8(SB)/4, $0x3c088889
DATA expc5<>+12(SB)/4, $0x3c088889
DATA expc5<>+16(SB)/4, $0x3c088889
DATA expc5<>+20(SB)/4, $0x3c088889
DATA expc5<>+24(SB)/4, $0x3c088889
DATA expc5<>+28(SB)/4, $0x3c088889
GLOBL expc5<>(SB), RODATA|NOPTR, $32

DATA expc4<>+0(SB)/4, $0x3d2aaaab
DATA expc4<>+4(SB)/4, $0x3d2aaaab
DATA expc4<>+8(SB)/4, $0x3d2aaaab
DATA expc4<>+12(SB)/4, $0x3d2aaaab
DATA expc4<>+16(SB)/4, $0x3d2aaaab
DATA expc4<>+20(SB)/4, $0x3d2aaaab
DATA expc4<>+24(SB)/4, $0x3d2aaaab
DATA expc4<>+28(SB)/4, $0x3d2aaaab
GLOBL expc4<>(SB), RODATA|NOPTR, $32

DATA expc3<>+0(SB)/4, $0x3e2aaaab
DATA expc3<>+4(SB)/4, $0x3e2aaaab
DATA expc3<>+8(SB)/4, $0x3e2aaaab
DATA expc3<>+12(SB)/4, $0x3e2aaaab
DATA expc3<>+16(SB)/4, $0x3e2aaaab
DATA expc3<>+20(SB)/4, $0x3e2aaaab
DATA expc3<>+24(SB)/4, $0x3e2aaaab
DATA expc3<>+28(SB)/4, $0x3e2aaaab
GLOBL expc3<>(SB), RODATA|NOPTR, $32

DATA expc2<>+0(SB)/4, $0x3f000000
DATA expc2<>+4(SB)/4, $0x3f000000
DATA expc2<>+8(SB)/4, $0x3f000000
DATA expc2<>+12(SB)/4, $0x3f000000
DATA expc2<>+16(SB)/4, $0x3f000000
DATA expc2<>+20(SB)/4, $0x3f000000
DATA expc2<>+24(SB)/4, $0x3f000000
DATA expc2<>+28(SB)/4, $0x3f000000
GLOBL expc2<>(SB), RODATA|NOPTR, $32

DATA expone<>+0(SB)/4, $0x3f800000
DATA expone<>+4(SB)/4, $0x3f800000
DATA expone<>+8(SB)/4, $0x3f800000
DATA expone<>+12(SB)/4, $0x3f800000
DATA expone<>+16(SB)/4, $0x3f800000
DATA expone<>+20(SB)/4, $0x3f800000
DATA expone<>+24(SB)/4, $0x3f800000
DATA expone<>+28(SB)/4, $0x3f800000
GLOBL expone<>(SB), RODATA|NOPTR, $32

DATA expbias<>+0(SB)/4, $0x0000007f
DATA expbias<>+4(SB)/4, $0x0000007f
DATA expbias<>+8(SB)/4, $0x0000007f
DATA expbias<>+12(SB)/4, $0x0000007f
DATA expbias<>+16(SB)/4, $0x0000007f
DATA expbias<>+20(SB)/4, $0x0000007f
DATA expbias<>+24(SB)/4, $0x0000007f
DATA expbias<>+28(SB)/4, $0x0000007f
GLOBL expbias<>(SB), RODATA|NOPTR, $32

// EXP replaces Y2 by e**Y2 by the method of Exp, using Y3 to Y6.
#define EXP \
	VCMPPS       $13, explo<>(SB), Y2, Y5    \
	VMINPS       exphi<>(SB), Y2, Y2         \
	VMAXPS       explo<>(SB), Y2, Y2         \
	VMULPS       explog2e<>(SB), Y2, Y3      \
	VCVTPS2DQ    Y3, Y4                      \
	VCVTDQ2PS    Y4, Y3                      \
	VFNMADD231PS expln2hi<>(SB), Y3, Y2      \
	VFNMADD231PS expln2lo<>(SB), Y3, Y2      \
	VMOVUPS      expc6<>(SB), Y6             \
	VFMADD213PS  expc5<>(SB), Y2, Y6         \
	VFMADD213PS  expc4<>(SB), Y2, Y6         \
	VFMADD213PS  expc3<>(SB), Y2, Y6         \
	VFMADD213PS  expc2<>(SB), Y2, Y6         \
	VFMADD213PS  expone<>(SB), Y2, Y6        \
	VFMADD213PS  expone<>(SB), Y2, Y6        \
	VPADDD       expbias<>(SB), Y4, Y4       \
	VPSLLD       $23, Y4, Y4                 \
	VMULPS       Y4, Y6, Y6                  \
	VANDPS       Y5, Y6, Y2

// func expSumAVX2(dst, src *float32, sub float32, n int) float32
TEXT ·expSumAVX2(SB), NOSPLIT, $0-36
	MOVQ         dst+0(FP), DI
	MOVQ         src+8(FP), SI
	VBROADCASTSS sub+16(FP), Y1
	MOVQ         n+24(FP), CX
	VXORPS       Y0, Y0, Y0

eloop:
	VMOVUPS (SI), Y2
	VSUBPS  Y1, Y2, Y2
	EXP
	VMOVUPS Y2, (DI)
	VADDPS  Y2, Y0, Y0
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNZ     eloop

	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VHADDPS      X0, X0, X0
	VHADDPS      X0, X0, X0
	VMOVSS       X0, ret+32(FP)
	VZEROUPPER
	RET

// func sigmoidAVX2(dst, src *float32, n int)
TEXT ·sigmoidAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

sloop:
	VXORPS  Y2, Y2, Y2
	VSUBPS  (SI), Y2, Y2
	EXP
	VMOVUPS expone<>(SB), Y3
	VADDPS  Y3, Y2, Y2
	VDIVPS  Y2, Y3, Y2
	VMOVUPS Y2, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $8, CX
	JNZ     sloop
	VZEROUPPER
	RET

// func maxAVX2(x *float32, n int) float32
TEXT ·maxAVX2(SB), NOSPLIT, $0-20
	MOVQ    x+0(FP), SI
	MOVQ    n+8(FP), CX
	VMOVUPS (SI), Y0

mloop:
	VMAXPS (SI), Y0, Y0
	ADDQ   $32, SI
	SUBQ   $8, CX
	JNZ    mloop

	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VSHUFPS      $0x4E, X0, X0, X1
	VMAXPS       X1, X0, X0
	VSHUFPS      $0xB1, X0, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, ret+16(FP)
	VZEROUPPER
	RET

// func scaleAVX2(a float32, x *float32, n int)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-24
	VBROADCASTSS a+0(FP), Y0
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX

cloop:
	VMULPS  (SI), Y0, Y1
	VMOVUPS Y1, (SI)
	ADDQ    $32, SI
	SUBQ    $8, CX
	JNZ     cloop
	VZEROUPPER
	RET
