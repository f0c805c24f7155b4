// Package checkpoint reads and writes Hugging Face folders: config.json, generation_config.json, weights in one or several
// safetensors files, and whatever tokenizer files the caller hands over as bytes; and the state of the optimizer, so that
// a training run resumes with the same losses bit for bit. Format: https://huggingface.co/docs/safetensors.
package checkpoint
