package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"syncabel/internal/corpus"
	"syncabel/internal/corpus/pubtator"
	"syncabel/internal/dataset"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/oracle"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
	"syncabel/internal/terminology/gazetteer"
	"syncabel/internal/tokenizer"
	"syncabel/internal/train"
	"syncabel/internal/trie"
)

func die(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func docs(path, split string) []corpus.Document {
	f, err := os.Open(path)
	die(err)
	d, w, err := pubtator.Read(f, path, pubtator.Options{Language: "en", Split: split})
	die(err)
	if len(w) > 0 {
		fmt.Println(len(w), "warnings", w[0])
	}
	return d
}

func main() {
	dir := flag.String("dir", "", "")
	out := flag.String("out", "", "")
	preset := flag.String("preset", "small", "")
	tokens := flag.Int("tokens", 6000000, "")
	vocab := flag.Int("vocab", 4000, "")
	lr := flag.Float64("lr", 3e-3, "")
	noisy := flag.Float64("noisy", 1.5, "")
	syn := flag.Float64("syn", 1.5, "")
	noise := flag.Float64("noise", 0.2, "")
	decay := flag.Float64("decay", 0.05, "")
	batch := flag.Int("batch", 1536, "")
	seed := flag.Uint64("seed", 1, "")
	test := flag.Bool("test", false, "")
	lc := flag.String("lang", "en", "")
	both := flag.Bool("both", false, "")
	flag.Parse()
	b := terminology.NewBuilder()
	f, err := os.Open(*dir + "/kb.tsv")
	die(err)
	die(gazetteer.Read(b, f, "kb.tsv", gazetteer.Options{Language: *lc}))
	kb, ws := b.Build()
	fmt.Printf("kb %+v %d warnings\n", kb.Stats().Concepts, len(ws))
	trainDocs, dev := docs(*dir+"/train.pubtator", "train"), docs(*dir+"/dev.pubtator", "dev")
	eval := map[string][]corpus.Document{"dev": dev}
	if *test {
		eval = map[string][]corpus.Document{"test": docs(*dir+"/test.pubtator", "test")}
	}
	var obs []lexical.Observation
	gm := map[string]string{"Disease": "Disorders"}
	if len(kb.Groups()) > 1 {
		gm = nil
	}
	seen := map[string]bool{}
	for i := range trainDocs {
		long := dataset.Expansions(trainDocs[i].Text)
		for _, m := range trainDocs[i].Mentions {
			for _, a := range m.Gold {
				for _, id := range a {
					seen[id] = true
					if c, ok := kb.Index(id); ok && len(a) == 1 {
						g := dataset.GroupOf(kb, m.Type, gm)
						obs = append(obs, lexical.Observation{m.Text, c, g})
						if l := dataset.Expand(m.Text, long); l != m.Text {
							obs = append(obs, lexical.Observation{l, c, g})
						}
					}
				}
			}
		}
	}
	ret := lexical.NewRetriever(kb, lexical.Options{Names: true, Training: obs})
	nolex := lexical.NewRetriever(kb, lexical.Options{Names: true})
	_ = nolex
	tokPath := *out + "/tokenizer.json"
	if _, err := os.Stat(*out + "/model.safetensors"); err != nil {
		die(os.MkdirAll(*out, 0o755))
		texts := func(yield func(string) bool) {
			for i := range kb.Len() {
				for _, n := range kb.Concept(i).Names {
					if !yield(" " + n.Text) {
						return
					}
				}
			}
			for _, d := range trainDocs {
				for _, m := range d.Mentions {
					if !yield(" " + m.Text) {
						return
					}
				}
			}
		}
		special := append([]string{"<s>", "</s>"}, markup.Marks(kb.Groups(), nil)...)
		tok, err := tokenizer.Train(texts, tokenizer.TrainOptions{VocabSize: *vocab, Special: special, Lowercase: true})
		die(err)
		c, err := model.Preset(*preset, tok.VocabSize())
		die(err)
		c.BOS, _ = tok.ID("<s>")
		c.EOS, _ = tok.ID("</s>")
		m := model.New(c, *seed)
		set, err := dataset.New(kb, ret.Vectorizer(), trainDocs, nil, dataset.Options{Noisy: *noisy, Synonym: *syn, Noise: *noise, Expand: true, Both: *both, Seed: *seed, GroupMap: gm})
		die(err)
		fmt.Println(set.Counts(), set.Skipped)
		t0 := time.Now()
		res, err := train.Run(context.Background(), m, tok, set.Stream(), train.Options{Tokens: *tokens, LR: *lr, Decay: *decay, BatchTokens: *batch, Seed: *seed, Progress: func(d, t int64) {
			if d%400 == 0 {
				fmt.Println(d, t, time.Since(t0))
			}
		}})
		die(err)
		fmt.Println("trained", time.Since(t0), res.Tokens, res.Log[len(res.Log)-1])
		die(tok.WriteFile(*out))
		die(checkpoint.Save(*out, m))
	}
	tok, err := tokenizer.Load(tokPath)
	die(err)
	m, err := checkpoint.Load(*out)
	die(err)
	t0 := time.Now()
	tr, long, err := link.BuildTrie(kb, tok, trie.Options{EOS: m.Config.EOS})
	die(err)
	fmt.Println("trie", tr.Nodes(), tr.Leaves(), len(long), time.Since(t0))
	o := oracle.NewNative(model.NewSession(m, model.SessionOptions{Nodes: 16384}))
	parts := link.Parts{KB: kb, Trie: tr, Tokenizer: tok, BOS: m.Config.BOS, Oracle: o, Stage0: ret}
	var w *link.Weights
	if wb, err := os.ReadFile(*out + "/weights.json"); err == nil {
		w = &link.Weights{}
		die(json.Unmarshal(wb, w))
	} else {
		l, err := link.New(parts, link.Options{Mode: link.Hybrid, Expand: true, GroupMap: gm})
		die(err)
		t0 = time.Now()
		w, err = l.Fit(context.Background(), dev)
		die(err)
		fmt.Println("fit", time.Since(t0), w.Mentions, w.Loss, w.Recall1)
		for i := range w.Values {
			fmt.Printf("  %s %.2f", w.Features[i], w.Values[i])
		}
		fmt.Println()
		wb, _ := json.Marshal(w)
		os.WriteFile(*out+"/weights.json", wb, 0o644)
	}
	for name, ds := range eval {
		for _, mode := range []string{link.Lexical, link.Free, link.BeamHF, link.BeamTrie, link.Hybrid} {
			l, err := link.New(parts, link.Options{Mode: mode, Expand: true, GroupMap: gm, Weights: w})
			die(err)
			t0 = time.Now()
			ps, err := l.Link(context.Background(), ds)
			die(err)
			report(name+" "+mode, kb, seen, ps, time.Since(t0))
			prediction.WriteFile(*out+"/"+name+"-"+mode+".jsonl", ps)
		}
	}
}

func report(name string, kb *terminology.KB, seen map[string]bool, ps []prediction.Prediction, d time.Duration) {
	var n, r1, r5, all, un, ur int
	for _, p := range ps {
		linkable, unseen := false, true
		ok1, ok5 := false, false
		for _, a := range p.Gold {
			for _, id := range a {
				linkable = linkable || kb.Has(id)
				unseen = unseen && !seen[id]
				for i, c := range p.Candidates {
					if c.Code == id {
						ok1 = ok1 || i == 0
						ok5 = ok5 || i < 5
					}
				}
			}
		}
		if !linkable {
			continue
		}
		n++
		if ok1 {
			r1++
		}
		if ok5 {
			r5++
		}
		all += 0
		if unseen {
			un++
			if ok1 {
				ur++
			}
		}
	}
	fmt.Printf("%-16s n %d R@1 %.1f R@5 %.1f unseen %d %.1f  %.1fs\n", name, n, 100*float64(r1)/float64(n), 100*float64(r5)/float64(n), un, 100*float64(ur)/float64(un), d.Seconds())
}
