package tokenizer

// byteAlphabet is GPT-2's printable form of every byte: printable Latin-1 stands for itself, the others for the code
// points from U+0100 on, in order.
var byteAlphabet, alphabetBytes = makeAlphabet()

func makeAlphabet() ([256]string, map[rune]byte) {
	var out [256]string
	back := make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE && b <= 0xFF) {
			r = next
			next++
		}
		out[b], back[r] = string(r), byte(b)
	}
	return out, back
}

// visible writes the bytes of s in the byte alphabet.
func visible(s string) string {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, byteAlphabet[s[i]]...)
	}
	return string(b)
}

// appendBytes appends the bytes that tok stands for; a token with a character outside the alphabet stands for itself.
func appendBytes(dst []byte, tok string) []byte {
	start := len(dst)
	for _, r := range tok {
		b, ok := alphabetBytes[r]
		if !ok {
			return append(dst[:start], tok...)
		}
		dst = append(dst, b)
	}
	return dst
}
