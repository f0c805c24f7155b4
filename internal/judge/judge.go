package judge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"syncabel/internal/llm"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

// Options of Run.
type Options struct {
	Models    []string // judges, as the endpoints know them; at least one
	Blind     bool     // the judge does not learn which concept is the gold one
	Language  string   // of predictions that do not say
	Prompts   string   // folder of own pages judge.LANG.txt; empty: the built-in ones
	MaxTokens int      // of an answer; default 2,000: reasoning models think first
	Seed      uint64   // of the order in blind mode, and of the requests
	Budget    float64  // stop before spending more; 0: no limit
	Progress  func(done, total int64)
}

// A Judged is one prediction with what was said about it.
type Judged struct {
	Document  string            `json:"document"`
	Mention   string            `json:"mention"`
	Text      string            `json:"text"`
	Verdict   string            `json:"verdict,omitempty"`   // of all judges together; empty: missing
	Missing   string            `json:"missing,omitempty"`   // why there is none
	Verdicts  map[string]string `json:"verdicts,omitempty"`  // by judge
	Failures  map[string]string `json:"failures,omitempty"`  // by judge: why it gave none
	Gold      map[string]string `json:"gold,omitempty"`      // by judge: its verdict on the gold concept
	Hierarchy string            `json:"hierarchy,omitempty"` // what the knowledge base's hierarchy says
}

// A Result is a judged file.
type Result struct {
	Judged []Judged
	Counts Counts
	Status llm.Status
}

// Counts sum up a result. Every share is of N.
type Counts struct {
	N         int                       `json:"n"`
	Decided   int                       `json:"decided"` // without a call
	Verdicts  map[string]int            `json:"verdicts"`
	Missing   int                       `json:"missing"`
	Why       map[string]int            `json:"missing_because"`
	Judges    map[string]map[string]int `json:"judges"`          // each judge's verdicts on what was asked
	Failures  map[string]map[string]int `json:"judges_failures"` // each judge's missing verdicts by reason
	Hierarchy map[string]int            `json:"hierarchy"`
	GoldWrong int                       `json:"gold_not_exact"` // most judges that answered found the gold itself not EXACT
}

// Run judges every prediction with a gold concept. Answers come from the journal where it has them and go into it, so that a
// killed run asks nothing twice; index reads them back, with those of any other result files.
func Run(ctx context.Context, kb *terminology.KB, preds []prediction.Prediction, client *llm.Client, journal *llm.Journal, opt Options) (llm.Status, error) {
	prompts, err := LoadPrompts(opt.Prompts)
	if err != nil {
		return llm.Status{}, err
	}
	total := 0
	for i := range preds {
		if Asked(&preds[i]) {
			total += len(opt.Models)
		}
	}
	run := &llm.Run{Client: client, Journal: journal, Total: total, Budget: opt.Budget, Accept: Accept}
	if opt.Progress != nil {
		run.Progress = func(s llm.Status) { opt.Progress(s.Before+s.Done+s.Failed, s.Total) }
	}
	return run.Do(ctx, Requests(prompts, kb, preds, opt))
}

// Accept says whether an answer can be read: what llm.Run and llm.Unanswered ask.
func Accept(_ *llm.Request, r *llm.Response) error {
	_, err := parse(r.Text)
	return err
}

func (opt Options) defaults() Options {
	opt.MaxTokens = cmp.Or(opt.MaxTokens, 2000)
	opt.Seed = cmp.Or(opt.Seed, 1)
	return opt
}

// Asked reports whether a prediction goes to a judge.
func Asked(p *prediction.Prediction) bool { return len(p.Gold) > 0 && Decided(p) == "" }

// Requests yields the questions of all judges. A concept that is not in the knowledge base cannot be described: its mention is
// missing, and Collect says so.
func Requests(prompts *Prompts, kb *terminology.KB, preds []prediction.Prediction, opt Options) llm.Requests {
	opt = opt.defaults()
	return func(yield func(*llm.Request, error) bool) {
		for i := range preds {
			if !Asked(&preds[i]) {
				continue
			}
			for _, model := range opt.Models {
				q, err := prompts.question(kb, &preds[i], model, opt)
				if err != nil {
					break
				}
				if !yield(&q.request, nil) {
					return
				}
			}
		}
	}
}

// Collect reads the verdicts of all predictions from the answers that an index has.
func Collect(kb *terminology.KB, preds []prediction.Prediction, index *llm.Index, opt Options) (*Result, error) {
	prompts, err := LoadPrompts(opt.Prompts)
	if err != nil {
		return nil, err
	}
	opt = opt.defaults()
	res := &Result{}
	for i := range preds {
		p := &preds[i]
		if len(p.Gold) == 0 {
			continue
		}
		j := Judged{Document: p.Document, Mention: p.Mention, Text: p.Text, Verdict: Decided(p)}
		if j.Verdict == "" {
			j.Hierarchy = Hierarchy(kb, p.Gold, p.Candidates[0].IDs())
			if err := j.ask(prompts, kb, p, index, opt); err != nil {
				return nil, err
			}
		}
		res.Judged = append(res.Judged, j)
	}
	res.Counts = count(res.Judged)
	return res, nil
}

// ask fills in what each judge said.
func (j *Judged) ask(prompts *Prompts, kb *terminology.KB, p *prediction.Prediction, index *llm.Index, opt Options) error {
	j.Verdicts, j.Failures, j.Gold = map[string]string{}, map[string]string{}, map[string]string{}
	for _, model := range opt.Models {
		q, err := prompts.question(kb, p, model, opt)
		if err != nil {
			j.Missing = MissingConcept
			return nil
		}
		e, ok, err := index.Get(q.request.Key())
		switch {
		case err != nil:
			return err
		case !ok:
			j.Failures[model] = MissingUnasked
		case e.Error != "":
			j.Failures[model] = e.Error
		default:
			predicted, gold, err := q.read(e.Answer)
			if err != nil {
				j.Failures[model] = MissingUnread
				continue
			}
			j.Verdicts[model], j.Gold[model] = predicted, gold
		}
	}
	j.Verdict, j.Missing = majority(j.Verdicts, j.Failures, len(opt.Models))
	return nil
}

// majority is the verdict that more than half of all judges gave, those who failed counting as well: with one judge, its own.
func majority(verdicts, failures map[string]string, judges int) (verdict, missing string) {
	votes := map[string]int{}
	for _, v := range verdicts {
		votes[v]++
	}
	for v, n := range votes {
		if 2*n > judges {
			return v, ""
		}
	}
	if len(verdicts) == 0 && len(failures) > 0 {
		return "", failures[slices.Min(slices.Collect(maps.Keys(failures)))]
	}
	return "", MissingAgreement
}

func count(list []Judged) Counts {
	c := Counts{N: len(list), Verdicts: map[string]int{}, Why: map[string]int{}, Judges: map[string]map[string]int{}, Failures: map[string]map[string]int{}, Hierarchy: map[string]int{}}
	add := func(m map[string]map[string]int, judge, what string) {
		if m[judge] == nil {
			m[judge] = map[string]int{}
		}
		m[judge][what]++
	}
	for _, j := range list {
		if j.Verdict == "" {
			c.Missing++
			c.Why[j.Missing]++
		} else {
			c.Verdicts[j.Verdict]++
		}
		if j.Hierarchy == "" {
			c.Decided++
			continue
		}
		c.Hierarchy[j.Hierarchy]++
		for judge, v := range j.Verdicts {
			add(c.Judges, judge, v)
		}
		for judge, why := range j.Failures {
			add(c.Failures, judge, why)
		}
		wrong := 0
		for _, v := range j.Gold {
			if v != Exact {
				wrong++
			}
		}
		if 2*wrong > len(j.Gold) {
			c.GoldWrong++
		}
	}
	return c
}

// Mark puts the verdicts on the predictions they belong to, for eval and report. It fails when a prediction has no judged row.
func Mark(preds []prediction.Prediction, judged []Judged) error {
	at := 0
	for i := range preds {
		p := &preds[i]
		if len(p.Gold) == 0 {
			continue
		}
		if at >= len(judged) || judged[at].Document != p.Document || judged[at].Mention != p.Mention {
			return errors.New("the verdicts are not those of these predictions")
		}
		p.Verdict, p.Verdicts = judged[at].Verdict, judged[at].Verdicts
		at++
	}
	if at != len(judged) {
		return fmt.Errorf("%d verdicts belong to no prediction", len(judged)-at)
	}
	return nil
}
