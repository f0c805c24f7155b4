package tokenizer

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

var sample = []string{"type 2 diabetes mellitus", "diabetic nephropathy", "acute myocardial infarction", "infarctus du myocarde",
	"diabetes", "diabetes insipidus", "myocarditis", "it's 12 mg", "Ménière's disease", "enfermedad de Ménière"}

func trained(t testing.TB) *Tokenizer {
	tok, err := Train(slices.Values(sample), TrainOptions{VocabSize: 330, Special: []string{"<s>", "</s>", "<SEP>"}, Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestRoundTripThroughJSON(t *testing.T) {
	tok := trained(t)
	b, err := json.Marshal(tok)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(b, "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(sample, "naïve café 日本 \U0001F600  two  spaces\n\n end ", "a<SEP>b") {
		a, c := tok.Encode(nil, s), again.Encode(nil, s)
		if !reflect.DeepEqual(a, c) {
			t.Errorf("%q: %v after reading, %v before", s, c, a)
		}
	}
}

func TestDecodeReturnsText(t *testing.T) {
	tok := trained(t)
	for _, s := range []string{"acute myocardial infarction 12", "  café\n\nx", "日本 \U0001F600"} {
		if got := tok.Decode(tok.EncodeOrdinary(nil, s), false); got != s {
			t.Errorf("got %q, want %q", got, s)
		}
	}
}

// User text cannot put a special token into a prompt.
func TestOrdinaryTextHoldsNoSpecialToken(t *testing.T) {
	tok := trained(t)
	sep, _ := tok.ID("<SEP>")
	if slices.Contains(tok.EncodeOrdinary(nil, "a<SEP>b"), sep) {
		t.Error("EncodeOrdinary recognised <SEP>")
	}
	if !slices.Contains(tok.Encode(nil, "a<SEP>b"), sep) {
		t.Error("Encode did not recognise <SEP>")
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		p    pattern
		in   string
		want []string
	}{
		{patternGPT2, "I'll pay  $12 now", []string{"I", "'ll", " pay", " ", " $", "12", " now"}},
		{patternGPT2, "a \n b", []string{"a", " \n", " b"}},
		{patternLlama3, "I'LL pay 12345\n\n x", []string{"I", "'LL", " pay", " ", "123", "45", "\n\n", " x"}},
		{patternLlama3, "(test)!\n", []string{"(test", ")!\n"}},
		{patternQwen2, "a12", []string{"a", "1", "2"}},
	} {
		var got []string
		c.p.split(c.in, func(s string) { got = append(got, s) })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestRefusesWhatItCannotHonour(t *testing.T) {
	for _, s := range []string{`{`, `{"model":{"type":"Unigram"}}`, `{"model":{"type":"BPE","byte_fallback":true}}`,
		`{"model":{"type":"BPE"},"normalizer":{"type":"NFKC"}}`, `{"model":{"vocab":{"a":1000000}}}`,
		`{"model":{"type":"BPE"},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"x"},"behavior":"Isolated"}}`} {
		if _, err := Parse([]byte(s), "bad.json"); err == nil {
			t.Errorf("%s was accepted", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	b, _ := json.Marshal(trained(f))
	f.Add(b[:400])
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`))
	f.Fuzz(func(t *testing.T, b []byte) { Parse(b, "fuzz") })
}

func FuzzRoundTrip(f *testing.F) {
	tok := trained(f)
	f.Add("café 12")
	f.Fuzz(func(t *testing.T, s string) {
		ids := tok.EncodeOrdinary(nil, s)
		if again := tok.EncodeOrdinary(nil, tok.Decode(ids, false)); !slices.Equal(ids, again) {
			t.Errorf("%q: %v, after decoding %v", s, ids, again)
		}
	})
}
