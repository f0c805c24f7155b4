package kernel

// vecFuncs are the element-wise kernels that have assembly in some variants.
type vecFuncs struct{}

func goVec() vecFuncs { return vecFuncs{} }
