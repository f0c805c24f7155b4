package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		for s := c.in; s != ""; {
			n := c.p.next(unicodeTables(), s)
			got, s = append(got, s[:n]), s[n:]
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

// TestRefusesWhatItCannotHonour: every feature that is not done is refused by its name.
func TestRefusesWhatItCannotHonour(t *testing.T) {
	const model = `"model":{"type":"BPE","vocab":{"a":0}}`
	for s, name := range map[string]string{
		`{`: "JSON", `{"model":{"type":"WordLevel","vocab":{"a":0}}}`: `model "WordLevel"`, `{"model":{"type":"Unigram","vocab":[["a",0]]}}`: "unk_id",
		`{"model":{"vocab":{"a":100000000}}}`:                                                                                               "ids up to",
		`{"model":{"vocab":{"a":0,"b":0}}}`:                                                                                                 "taken",
		`{"model":{"type":"Unigram","vocab":{"a":0}}}`:                                                                                      "Unigram",
		`{"model":{"type":"BPE","vocab":{"a":0},"dropout":0.1}}`:                                                                            "dropout",
		`{"model":{"type":"BPE","vocab":{"a":0},"end_of_word_suffix":"</w>"}}`:                                                              "end_of_word_suffix",
		`{"model":{"type":"BPE","vocab":{"a":0},"continuing_subword_prefix":"##"}}`:                                                         "continuing_subword_prefix",
		`{"model":{"type":"BPE","vocab":{"a":0},"unk_token":"?"}}`:                                                                          "unk_token",
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]}}`:                                                                         "merge 0",
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}}`:                                                                           "merge 0",
		`{` + model + `,"normalizer":{"type":"ByteLevel"}}`:                                                                                 `normalizer "ByteLevel"`,
		`{` + model + `,"normalizer":{"type":"Replace","pattern":{"Regex":"x"},"content":""}}`:                                              `normalizer Replace with pattern "x"`,
		`{` + model + `,"normalizer":{"type":"Precompiled","precompiled_charsmap":"x"}}`:                                                    "precompiled_charsmap",
		`{` + model + `,"pre_tokenizer":{"type":"UnicodeScripts"}}`:                                                                         `pre-tokenizer "UnicodeScripts"`,
		`{` + model + `,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"x"},"behavior":"Isolated"}}`:                                    `pattern "x"`,
		`{` + model + `,"pre_tokenizer":{"type":"Split","pattern":{"String":"x"},"behavior":"Odd"}}`:                                        `behavior "Odd"`,
		`{` + model + `,"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}}`:                                    "prepend_scheme",
		`{` + model + `,"normalizer":{"type":"Strip"},"pre_tokenizer":{"type":"Metaspace","replacement":"_","prepend_scheme":"first"}}`:     "prepend_scheme first",
		`{` + model + `,"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Punctuation"}]}}`:                 "ByteLevel before another",
		`{` + model + `,"decoder":{"type":"CTC"}}`:                                                                                          `decoder "CTC"`,
		`{` + model + `,"post_processor":{"type":"Odd"}}`:                                                                                   `post-processor "Odd"`,
		`{` + model + `,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}]}}`:     `special token "x"`,
		`{` + model + `,"post_processor":{"type":"BertProcessing","sep":["x",9],"cls":["y",0]}}`:                                            "token 9",
		`{` + model + `,"post_processor":` + strings.Repeat(`{"type":"Sequence","processors":[`, 12000) + strings.Repeat(`]}`, 12000) + `}`: "depth",
		`{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"?"}}`:                                                                    "unk_token",
		`{"model":{"type":"WordPiece","vocab":{"[UNK]":0}},"pre_tokenizer":{"type":"ByteLevel"}}`:                                           "ByteLevel with model WordPiece",
	} {
		if _, err := Parse([]byte(s), "bad.json"); err == nil || !strings.Contains(err.Error(), name) && name != "JSON" || !strings.Contains(err.Error(), "bad.json") {
			t.Errorf("%.200s: %v", s, err)
		}
	}
}

// TestOversizedFile: a tokenizer.json above the limit is not read into memory.
func TestOversizedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(maxFile + 1); err != nil { // sparse
		t.Fatal(err)
	}
	f.Close()
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, kind := range kinds {
		b, err := os.ReadFile(filepath.Join("testdata/hf", kind, FileName))
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 40<<10 {
			f.Add(b, "don't 12 é")
		}
	}
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}`), "ab")
	f.Fuzz(func(t *testing.T, b []byte, s string) {
		tok, err := Parse(b, "fuzz")
		if err != nil {
			return
		}
		for _, id := range tok.Encode(nil, s) {
			if id < 0 || int(id) >= tok.VocabSize() {
				t.Fatalf("id %d of %d", id, tok.VocabSize())
			}
		}
		tok.Decode(tok.Encode(nil, s), true)
	})
}

// FuzzEncode: any text, valid or not, is encoded by every kind of tokenizer without a fault, and long words as short ones.
func FuzzEncode(f *testing.F) {
	var list []*Tokenizer
	for _, kind := range kinds {
		tok, err := Load(filepath.Join("testdata/hf", kind))
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, tok)
	}
	f.Add("don't \xff 12\n\n é 中 <SEP>")
	f.Fuzz(func(t *testing.T, s string) {
		for i, tok := range list {
			ids := tok.Encode(nil, s)
			tok.Decode(ids, false)
			if m, ok := tok.model.(*bpe); ok {
				units := m.units(tok, nil, lossy(s))
				if len(units) == 0 || len(units) > longWord {
					continue
				}
				a, b := slices.Clone(units), slices.Clone(units)
				if a, b = a[:m.merge(a)], b[:m.mergeLong(b)]; !slices.Equal(a, b) {
					t.Fatalf("%s: merges of %q: %v, by heap %v", kinds[i], s, a, b)
				}
			}
		}
	})
}

// BenchmarkEncode measures bytes a second on one core: warm is the usual case of repeating words, cold has an empty word cache
// for every megabyte of text.
func BenchmarkEncode(b *testing.B) {
	text := benchText(b)
	paths := strings.Fields(os.Getenv("SYNCABEL_TOKENIZER")) // real vocabularies, not kept here
	for _, kind := range kinds {
		paths = append(paths, filepath.Join("testdata/hf", kind))
	}
	for _, path := range paths {
		tok, err := Load(path)
		if err != nil {
			b.Fatal(err)
		}
		for _, cold := range []bool{false, true} {
			name := filepath.Base(path) + "/warm"
			if cold {
				name = filepath.Base(path) + "/cold"
			}
			b.Run(name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				var ids []int32
				start := cpuTime()
				for b.Loop() {
					if cold {
						for i := range tok.cache {
							tok.cache[i].Store(nil)
						}
					}
					ids = tok.Encode(ids[:0], text)
				}
				b.ReportMetric(float64(len(text)*b.N)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
			})
		}
	}
}

// cpuTime is the processor time of this process: on a machine with neighbours the wall clock says little.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchText is a megabyte of the demonstration's texts in three languages.
func benchText(b *testing.B) string {
	files, err := filepath.Glob("../demo/data/*.pubtator")
	if err != nil || len(files) == 0 {
		b.Fatal("no text", err)
	}
	files = append(files, "../demo/data/journal.jsonl")
	var s strings.Builder
	for s.Len() < 1<<20 {
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				b.Fatal(err)
			}
			s.Write(text)
		}
	}
	return s.String()[:1<<20]
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
