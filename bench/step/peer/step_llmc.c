// Peer of bench/step: karpathy/llm.c's CPU trainer, one step for every line on standard input, answered with its nanoseconds.
// Compiled by cc -Ofast -march=native -fopenmp -I <llm.c>. Usage: step_llmc CHECKPOINT VOCAB TOKENS LENGTH
#define TESTING
#include "train_gpt2.c"

static long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

// writeCheckpoint writes a random model of the shape in llm.c's format, version 3.
static void writeCheckpoint(const char *path, int V, int T) {
	int C = 256, L = 6, H = 4, header[256] = {20240326, 3, T, V, L, H, C, V};
	long n = (long)V * C + (long)T * C + (long)L * (2 * C + 3L * C * C + 3 * C + (long)C * C + C + 2 * C + 4L * C * C + 4 * C + 4L * C * C + C) + 2 * C;
	FILE *f = fopen(path, "wb");
	fwrite(header, sizeof header, 1, f);
	for (long i = 0; i < n; i++) {
		float x = (rand() / (float)RAND_MAX - 0.5f) * 0.07f;
		fwrite(&x, 4, 1, f);
	}
	fclose(f);
}

int main(int argc, char **argv) {
	int V = atoi(argv[2]), tokens = atoi(argv[3]), T = atoi(argv[4]), B = tokens / T;
	writeCheckpoint(argv[1], V, T);
	FILE *out = fdopen(dup(1), "w"); // llm.c prints to standard output
	freopen("/dev/null", "w", stdout);
	GPT2 model;
	gpt2_build_from_checkpoint(&model, argv[1]);
	int *x = malloc(tokens * sizeof(int)), *y = malloc(tokens * sizeof(int));
	for (int i = 0; i < tokens; i++) x[i] = rand() % V, y[i] = rand() % V;
	fprintf(out, "llm.c\n");
	fflush(out);
	char line[64];
	for (int step = 1; fgets(line, sizeof line, stdin); step++) {
		long t = now();
		gpt2_forward(&model, x, y, B, T);
		gpt2_zero_grad(&model);
		gpt2_backward(&model);
		gpt2_update(&model, 1e-3f, 0.9f, 0.999f, 1e-8f, 0.0f, step);
		fprintf(out, "%ld\n", now() - t);
		fflush(out);
	}
}
