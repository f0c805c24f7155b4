package main

import (
	"bytes"
	"fmt"
)

// A dots kernel multiplies m rows of x by groups of nr rows of a stored matrix, partial sums along k in the lanes of a
// register, which are added pairwise at the end. The order of a sum depends on nothing but k.
type dots struct {
	isa   string // avx512, avx2
	reg   string
	width int // floats per register
	m, nr int
	load  load
}

// A load brings width weights from memory into a register as floats.
type load struct {
	name string
	size int // bytes of a weight
	ops  func(d dots, from, to string) string
}

var loads = []load{
	{"F32", 4, func(d dots, from, to string) string { return fmt.Sprintf("\tVMOVUPS %s, %s\n", from, to) }},
	{"F16", 2, func(d dots, from, to string) string { return fmt.Sprintf("\tVCVTPH2PS %s, %s\n", from, to) }},
	{"BF16", 2, func(d dots, from, to string) string {
		return fmt.Sprintf("\tVPMOVZXWD %s, %s\n\tVPSLLD $16, %s, %s\n", from, to, to, to)
	}},
	{"I8", 1, func(d dots, from, to string) string {
		return fmt.Sprintf("\tVPMOVSXBD %s, %s\n\tVCVTDQ2PS %s, %s\n", from, to, to, to)
	}},
}

// dotShapes lists rows of x and rows of W by instruction set: as many sums as registers hold. The last is for what is left.
var dotShapes = []dots{
	{isa: "avx512", reg: "Z", width: 16, m: 1, nr: 8}, {isa: "avx512", reg: "Z", width: 16, m: 2, nr: 8},
	{isa: "avx512", reg: "Z", width: 16, m: 3, nr: 8}, {isa: "avx512", reg: "Z", width: 16, m: 4, nr: 4},
	{isa: "avx512", reg: "Z", width: 16, m: 5, nr: 4}, {isa: "avx512", reg: "Z", width: 16, m: 6, nr: 4},
	{isa: "avx512", reg: "Z", width: 16, m: 1, nr: 1},
	{isa: "avx2", reg: "Y", width: 8, m: 1, nr: 4}, {isa: "avx2", reg: "Y", width: 8, m: 2, nr: 4},
	{isa: "avx2", reg: "Y", width: 8, m: 3, nr: 4}, {isa: "avx2", reg: "Y", width: 8, m: 1, nr: 1},
}

func writeDots() {
	var asm, decl bytes.Buffer
	asm.WriteString(header + "#include \"textflag.h\"\n\n// every fourth lane\nDATA dotlanes<>+0(SB)/4, $0\nDATA dotlanes<>+4(SB)/4, $4\nDATA dotlanes<>+8(SB)/4, $8\nDATA dotlanes<>+12(SB)/4, $12\nGLOBL dotlanes<>(SB), RODATA|NOPTR, $16\n")
	decl.WriteString(header + "package kernel\n")
	for _, d := range dotShapes {
		for _, d.load = range loads {
			d.kernel(&asm)
			fmt.Fprintf(&decl, "\n//go:noescape\nfunc %s(n int, x *float32, w *byte, ldw int, y *float32, ldy int, groups int)\n", d.name())
		}
	}
	for _, isa := range []string{"avx512", "avx2"} {
		table(&decl, isa)
	}
	write("dots_amd64.s", asm.Bytes())
	write("dots_amd64.go", decl.Bytes())
}

func (d dots) name() string { return fmt.Sprintf("%sDots%s_%dx%d", d.isa, d.load.name, d.m, d.nr) }

// table writes the kernels of one instruction set by type and rows of x; entry 0 is the one for single rows of W.
func table(w *bytes.Buffer, isa string) {
	width := map[string]int{"avx512": 16, "avx2": 8}[isa]
	fmt.Fprintf(w, "\n// %sDots returns the kernels by type.\nfunc %sDots() dotFuncs {\n\tvar f dotFuncs\n\tf.lanes = %d\n", isa, isa, width)
	for _, l := range loads {
		fmt.Fprintf(w, "\tf.of[%s] = []dotFunc{", l.name)
		for _, d := range dotShapes {
			if d.load = l; d.isa == isa && d.nr == 1 {
				fmt.Fprintf(w, "{%s, 1}", d.name())
			}
		}
		for _, d := range dotShapes {
			if d.load = l; d.isa == isa && d.nr > 1 {
				fmt.Fprintf(w, ", {%s, %d}", d.name(), d.nr)
			}
		}
		fmt.Fprintf(w, "}\n")
	}
	fmt.Fprintf(w, "\treturn f\n}\n")
}

func (d dots) r(i int) string   { return fmt.Sprintf("%s%d", d.reg, i) }
func (d dots) acc(i, j int) int { return i*d.nr + j }

// row is the address of row j of a group of eight: DI and R11 four rows on, R9 bytes a row, R10 three of them.
func (d dots) row(j int) string {
	base := [2]string{"DI", "R11"}[j/4]
	return "(" + base + ")" + [4]string{"", "(R9*1)", "(R9*2)", "(R10*1)"}[j%4]
}

func (d dots) kernel(w *bytes.Buffer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	p("\n// func %s(n int, x *float32, w *byte, ldw int, y *float32, ldy int, groups int)", d.name())
	p("TEXT ·%s(SB), NOSPLIT, $0-56", d.name())
	p("\tMOVQ x+8(FP), AX\n\tMOVQ w+16(FP), BX\n\tMOVQ ldw+24(FP), R9\n\tMOVQ y+32(FP), DX\n\tMOVQ ldy+40(FP), R12\n\tMOVQ groups+48(FP), R8")
	p("\tSHLQ $2, R12\n\tLEAQ (R9)(R9*2), R10")
	if d.isa == "avx512" && d.nr > 1 {
		p("\tVMOVUPS dotlanes<>(SB), X31")
	}
	p("group:\n\tMOVQ n+0(FP), CX\n\tMOVQ AX, SI\n\tMOVQ BX, DI\n\tLEAQ (DI)(R9*4), R11")
	zero := map[string]string{"avx512": "VPXORQ", "avx2": "VXORPS"}[d.isa]
	for i := range d.m * d.nr {
		p("\t%s %s, %s, %s", zero, d.r(i), d.r(i), d.r(i))
	}
	ahead := d.nr * d.width * d.load.size // bytes of W that a step takes, and fetches of the next group
	if d.nr > 1 {
		p("\tLEAQ (BX)(R9*%d), R13", d.nr)
	}
	p("loop:")
	for at := 0; at < ahead && d.nr > 1; at += 64 {
		p("\tPREFETCHT1 %d(R13)", at)
	}
	wr, xr := d.m*d.nr, d.m*d.nr+min(d.nr, 4)
	for j0 := 0; j0 < d.nr; j0 += 4 {
		for j := j0; j < min(j0+4, d.nr); j++ {
			w.WriteString(d.load.ops(d, d.row(j), d.r(wr+j-j0)))
		}
		for i := range d.m {
			x := fmt.Sprintf("%d(SI)", 4*d.width*i)
			if d.isa == "avx512" {
				p("\tVMOVUPS %s, %s", x, d.r(xr))
				x = d.r(xr)
			}
			for j := j0; j < min(j0+4, d.nr); j++ {
				p("\tVFMADD231PS %s, %s, %s", x, d.r(wr+j-j0), d.r(d.acc(i, j)))
			}
		}
	}
	if d.nr > 1 {
		p("\tADDQ $%d, R13", ahead)
	}
	p("\tADDQ $%d, SI\n\tADDQ $%d, DI\n\tADDQ $%d, R11\n\tSUBQ $%d, CX\n\tJNZ loop", 4*d.width*d.m, d.load.size*d.width, d.load.size*d.width, d.width)
	p("\tMOVQ DX, DI")
	for i := range d.m {
		d.reduce(p, i, wr)
		p("\tADDQ R12, DI")
	}
	p("\tADDQ $%d, DX\n\tLEAQ (BX)(R9*%d), BX\n\tDECQ R8\n\tJNZ group", 4*d.nr, min(d.nr, 8))
	p("\tVZEROUPPER\n\tRET")
}

// reduce adds the lanes of row i's sums and stores them.
func (d dots) reduce(p func(string, ...any), i, t int) {
	if d.nr == 1 {
		if d.isa == "avx512" {
			p("\tVEXTRACTF64X4 $1, Z0, Y1\n\tVADDPS Y1, Y0, Y0")
		}
		p("\tVEXTRACTF128 $1, Y0, X1\n\tVADDPS X1, X0, X0\n\tVHADDPS X0, X0, X0\n\tVHADDPS X0, X0, X0\n\tVMOVSS X0, (DI)")
		return
	}
	for j := 0; j < d.nr; j += 4 {
		a := func(k int) string { return d.r(d.acc(i, j+k)) }
		t0, t1 := d.r(t), d.r(t+1)
		if d.isa == "avx512" {
			for k := 0; k < 4; k += 2 {
				p("\tVSHUFF64X2 $0x44, %s, %s, %s\n\tVSHUFF64X2 $0xee, %s, %s, %s\n\tVADDPS %s, %s, %s", a(k+1), a(k), t0, a(k+1), a(k), t1, t0, t1, a(k))
			}
			p("\tVSHUFF64X2 $0x88, %s, %s, %s\n\tVSHUFF64X2 $0xdd, %s, %s, %s\n\tVADDPS %s, %s, %s", a(2), a(0), t0, a(2), a(0), t1, t0, t1, t0)
			p("\tVPERMILPS $0xb1, %s, %s\n\tVADDPS %s, %s, %s\n\tVPERMILPS $0x4e, %s, %s\n\tVADDPS %s, %s, %s", t0, t1, t0, t1, t0, t0, t1, t0, t1, t0)
			p("\tVPERMPS %s, Z31, %s\n\tVMOVUPS X%s, %d(DI)", t0, t0, t0[1:], 4*j)
			continue
		}
		for k := 0; k < 4; k += 2 {
			p("\tVPERM2F128 $0x20, %s, %s, %s\n\tVPERM2F128 $0x31, %s, %s, %s\n\tVADDPS %s, %s, %s", a(k+1), a(k), t0, a(k+1), a(k), t1, t0, t1, a(k))
		}
		p("\tVHADDPS %s, %s, %s\n\tVHADDPS %s, %s, %s\n\tVEXTRACTF128 $1, %s, X%s\n\tVUNPCKLPS X%s, X%s, X%s\n\tVMOVUPS X%s, %d(DI)", a(2), a(0), t0, t0, t0, t0, t0, t1[1:], t1[1:], t0[1:], t0[1:], t0[1:], 4*j)
	}
}
