//go:build amd64 && !noasm

package kernel

func avx512Vec() vecFuncs { return vecFuncs{} }
