// The peer of bench/gemm: answers "op m n k calls" on standard input with the nanoseconds of the fastest of calls products,
// op 0 A*B, 1 A*Bt, 2 At*B, row-major, beta 0. OPENBLAS_CORETYPE and OPENBLAS_NUM_THREADS choose kernels and threads.
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

char *openblas_get_corename(void);

static long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static float *randoms(long n) {
	float *x = aligned_alloc(64, (n * 4 + 63) / 64 * 64);
	for (long i = 0; i < n; i++) x[i] = rand() / (float)RAND_MAX * 2 - 1;
	return x;
}

int main(void) {
	int op, m, n, k, calls;
	printf("%s\n", openblas_get_corename());
	fflush(stdout);
	float *a = 0, *b = 0, *c = 0;
	int lm = 0, ln = 0, lk = 0;
	while (scanf("%d %d %d %d %d", &op, &m, &n, &k, &calls) == 5) {
		if (m != lm || n != ln || k != lk) {
			free(a), free(b), free(c);
			a = randoms((long)m * k), b = randoms((long)k * n), c = randoms((long)m * n);
			lm = m, ln = n, lk = k;
		}
		long best = 1L << 62;
		for (int i = 0; i < calls + 1; i++) {
			long t = now();
			cblas_sgemm(CblasRowMajor, op == 2 ? CblasTrans : CblasNoTrans, op == 1 ? CblasTrans : CblasNoTrans, m, n, k, 1, a,
				op == 2 ? m : k, b, op == 1 ? k : n, 0, c, n);
			t = now() - t;
			if (t < best) best = t;
		}
		printf("%ld\n", best);
		fflush(stdout);
	}
}
