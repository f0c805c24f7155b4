package main

import (
	"bytes"
	"fmt"
	"strings"
)

// An element kernel runs over eight floats of every pointer at a time. Scalars are broadcast to the registers that follow
// each other from Y15 down, in their order; body uses Y0 to Y9 and names pointers in braces.
type element struct {
	name, loop string
	pointers   []string
	scalars    []string
	body       string
}

var elements = []element{
	{"gate", "h[i] *= a[i]*u[i]", []string{"h", "a", "u"}, nil,
		"VMOVUPS {a}, Y0; VMULPS {u}, Y0, Y0; VMULPS {h}, Y0, Y0; VMOVUPS Y0, {h}"},
	{"gateBack", "a[i], u[i] = d[i]*u[i]*s[i]*(1+a[i]*(1-s[i])), d[i]*a[i]*s[i]", []string{"a", "u", "s", "d"}, []string{"one"},
		"VMOVUPS {a}, Y0; VMOVUPS {s}, Y1; VMULPS {d}, Y1, Y2; VMULPS {u}, Y2, Y3; VMULPS Y0, Y2, Y4; VMOVUPS Y4, {u}; VSUBPS Y1, Y15, Y5; VFMADD213PS Y15, Y0, Y5; VMULPS Y5, Y3, Y3; VMOVUPS Y3, {a}"},
	{"scaleMul", "y[i] = x[i]*f*w[i]", []string{"y", "x", "w"}, []string{"f"},
		"VMULPS {x}, Y15, Y0; VMULPS {w}, Y0, Y0; VMOVUPS Y0, {y}"},
	{"normBack", "dw[i] += dy[i]*x[i]*inv; dx[i] += dy[i]*w[i]*inv - x[i]*c", []string{"dx", "dw", "dy", "x", "w"}, []string{"inv", "c"},
		"VMULPS {dy}, Y15, Y0; VMOVUPS {x}, Y1; VMOVUPS {dw}, Y2; VFMADD231PS Y1, Y0, Y2; VMOVUPS Y2, {dw}; VMOVUPS {dx}, Y3; VFMADD231PS {w}, Y0, Y3; VFNMADD231PS Y1, Y14, Y3; VMOVUPS Y3, {dx}"},
	{"softmaxBack", "dp[i] = p[i]*(dp[i]-sum)*scale", []string{"dp", "p"}, []string{"sum", "scale"},
		"VMOVUPS {dp}, Y0; VSUBPS Y15, Y0, Y0; VMULPS {p}, Y14, Y1; VMULPS Y1, Y0, Y0; VMOVUPS Y0, {dp}"},
	{"adam", "x = grad[i]*clip; m[i] = b1*m[i]+d1*x; v[i] = b2*v[i]+d2*x*x; w[i] -= lr*(m[i]*c1/(sqrt(v[i]*c2)+eps) + decay*w[i])",
		[]string{"w", "grad", "m", "v"}, []string{"clip", "b1", "d1", "b2", "d2", "lr", "c1", "c2", "eps", "decay"},
		"VMULPS {grad}, Y15, Y0; VMULPS {m}, Y14, Y1; VFMADD231PS Y13, Y0, Y1; VMOVUPS Y1, {m}; VMULPS {v}, Y12, Y2; VMULPS Y0, Y0, Y0; VFMADD231PS Y11, Y0, Y2; VMOVUPS Y2, {v}; VMULPS Y8, Y2, Y2; VSQRTPS Y2, Y2; VADDPS Y7, Y2, Y2; VMULPS Y9, Y1, Y1; VDIVPS Y2, Y1, Y1; VMOVUPS {w}, Y3; VFMADD231PS Y6, Y3, Y1; VFNMADD231PS Y10, Y1, Y3; VMOVUPS Y3, {w}"},
}

var pointerRegs = []string{"DI", "SI", "BX", "DX", "R8"}

func writeElements() {
	var asm, decl bytes.Buffer
	asm.WriteString(header + "#include \"textflag.h\"\n")
	decl.WriteString(header + "package kernel\n")
	for _, e := range elements {
		e.write(&asm, &decl)
	}
	write("elements_amd64.s", asm.Bytes())
	write("elements_amd64.go", decl.Bytes())
}

func (e element) write(asm, decl *bytes.Buffer) {
	p := func(format string, args ...any) { fmt.Fprintf(asm, format+"\n", args...) }
	args := strings.Join(e.pointers, ", ") + " *float32, "
	if len(e.scalars) > 0 {
		args += strings.Join(e.scalars, ", ") + " float32, "
	}
	sig := fmt.Sprintf("%sAVX2(%sn int)", e.name, args)
	fmt.Fprintf(decl, "\n// %sAVX2 computes, for i < n, n a positive multiple of 8:\n//\n//\t%s\n//\n//go:noescape\nfunc %s\n", e.name, e.loop, sig)
	end := 8*len(e.pointers) + 4*len(e.scalars)
	at := (end + 7) / 8 * 8
	p("\n// func %s\nTEXT ·%sAVX2(SB), NOSPLIT, $0-%d", sig, e.name, at+8)
	body := strings.ReplaceAll("\t"+e.body, "; ", "\n\t")
	for i, name := range e.pointers {
		p("\tMOVQ %s+%d(FP), %s", name, 8*i, pointerRegs[i])
		body = strings.ReplaceAll(body, "{"+name+"}", "("+pointerRegs[i]+")(AX*4)")
	}
	for i, name := range e.scalars {
		p("\tVBROADCASTSS %s+%d(FP), Y%d", name, 8*len(e.pointers)+4*i, 15-i)
	}
	p("\tMOVQ n+%d(FP), CX\n\tXORQ AX, AX\nloop:\n%s\n\tADDQ $8, AX\n\tCMPQ AX, CX\n\tJL loop\n\tVZEROUPPER\n\tRET", at, body)
}
