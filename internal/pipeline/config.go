// Package pipeline runs the stages of a project in order: it reads the config, names each stage's folder by the hash of
// everything that goes into it, and reuses what is finished. It holds no algorithm; those are in the rooms it calls.
package pipeline

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"syncabel/internal/link"
	"syncabel/internal/llm"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/train"
	"syncabel/internal/train/torchrun"
)

// A Config is a project: one TOML file, a section per stage. Paths are relative to Data, and Data to the file.
type Config struct {
	Name   string   `toml:"name"`  // of the project, in folder names and the report
	Note   string   `toml:"note"`  // a sentence for the report: what this data is
	Seeds  []uint64 `toml:"seeds"` // one training run each; default [1]
	Data   string   `toml:"data"`  // folder of the input files; default: the config's own
	KB     KB       `toml:"kb"`
	Corpus []Corpus `toml:"corpus"`
	Refit  bool     `toml:"refit"` // train on the development documents too, once everything is chosen; nothing is tuned on them then
	Synth  Synth    `toml:"synth"`
	Train  Train    `toml:"train"` // defaults of every model
	Models []Train  `toml:"model"` // variants that are compared; default: one, as [train] says
	Ranker Ranker   `toml:"ranker"`
	Link   Link     `toml:"link"`
	Eval   Eval     `toml:"eval"`
	Study  Study    `toml:"study"`

	Ablation Ablation `toml:"ablation"`
}

// KB says where the knowledge base comes from.
type KB struct {
	Format    string            `toml:"format"` // table, obo, obographs, umls, snomed, mesh, kb (imported before)
	Paths     []string          `toml:"paths"`
	Merge     []string          `toml:"merge"`                      // knowledge bases imported before, to unite with this one
	Synonyms  []string          `toml:"synonyms" json:",omitempty"` // tables with further names of these concepts; rows of other codes are reported and left out
	Relations string            `toml:"relations"`                  // table child, parent
	Language  string            `toml:"language"`                   // of names that do not say
	Group     string            `toml:"group"`                      // semantic group of concepts that do not say
	Source    string            `toml:"source"`
	Licence   string            `toml:"licence"`
	Columns   map[string]string `toml:"columns"`  // of format table: our column -> heading of the file
	Protocol  string            `toml:"protocol"` // paper: each name for one concept of a group, as arXiv 2601.19667 has it; default: all keep it
	Priority  string            `toml:"priority"` // protocol paper, not UMLS: table of code and group that ties go to

	// Filters of UMLS and SNOMED CT; empty lets everything pass.
	Preset     string   `toml:"preset"`                     // UMLS: st21pv or quaero
	GroupBy    string   `toml:"group_by" json:",omitempty"` // with preset st21pv: types, for its 21 types as semantic groups; default: the fifteen of the UMLS
	Languages  []string `toml:"languages"`
	Sources    []string `toml:"sources"`    // SAB
	TermTypes  []string `toml:"term_types"` // TTY
	Types      []string `toml:"types"`      // TUIs
	Groups     []string `toml:"groups"`     // semantic groups, by name or code; semantic tags in SNOMED CT
	Refsets    []string `toml:"refsets"`    // SNOMED CT: language reference sets that accept a name, by SCTID
	Below      []string `toml:"below"`      // SNOMED CT: only these concepts and those below them
	Suppressed bool     `toml:"suppressed"` // also suppressed and obsolete names
}

// Corpus is one annotated corpus in one language.
type Corpus struct {
	Format      string            `toml:"format"` // pubtator, brat, bioc, bigbio, bigbio-parquet, table, cas-xmi ...: `syncabel corpus convert --help` has all
	Language    string            `toml:"language"`
	Train       []string          `toml:"train"`
	Dev         []string          `toml:"dev"`
	Test        []string          `toml:"test"`
	All         []string          `toml:"all"`                      // files whose documents say their split, or that split_ids divides (MedMentions)
	IDs         map[string]string `toml:"split_ids"`                // split -> file with one document ID a line
	Composite   string            `toml:"composite"`                // joins the parts of one answer; default: as the format does, "|" or "+"
	Alternative string            `toml:"alternative"`              // joins answers of which any counts
	Prefix      string            `toml:"prefix"`                   // put before codes without a colon
	Texts       string            `toml:"texts"`                    // of format table: folder of the .txt files, or a corpus in PubTator format with the texts; default the table's own folder
	Columns     map[string]string `toml:"columns"`                  // of format table: our name of a column -> the file's, "-" for none
	Series      string            `toml:"series" json:",omitempty"` // pattern of what documents of one series (a patient, a leaflet) have in common in their IDs, in parentheses
	Database    string            `toml:"database"`                 // of format bigbio: only codes of this db_name
	Identifiers []string          `toml:"identifiers"`              // of format bioc: infons that hold the code
	Corrections string            `toml:"corrections"`              // table of wrong or retired codes and what replaces them
	Groups      string            `toml:"groups" json:",omitempty"` // gold: a mention's semantic group is its gold concept's, as arXiv 2601.19667 had it; default: its type's
}

// Synth says which synthetic sentences there are: those of journals, and those that servers are asked for where there is an
// endpoint. Nothing is sent anywhere without one.
type Synth struct {
	Journals  []string `toml:"journals"`   // answers, as synth collect writes them
	Mention   string   `toml:"mention"`    // near, plausible; default near
	RoundTrip int      `toml:"round_trip"` // 0, or the concept must be among so many candidates of string comparison

	Endpoints   []llm.Endpoint `toml:"endpoint"`
	Model       string         `toml:"model"`
	Prompts     []string       `toml:"prompts"`   // default general.LANGUAGE for every language of the corpora
	Sentences   int            `toml:"sentences"` // a concept and prompt; default 3
	Examples    int            `toml:"examples"`  // of style in a prompt; default 5
	Groups      []string       `toml:"groups"`    // only concepts of these semantic groups
	Defined     bool           `toml:"defined"`   // only concepts with a definition
	Foreign     bool           `toml:"foreign"`   // also concepts without a name in the prompt's language
	Limit       int            `toml:"limit"`     // so many concepts at most
	Temperature *float64       `toml:"temperature"`
	TopP        *float64       `toml:"top_p"`
	MaxTokens   int            `toml:"max_tokens"` // of an answer; default 512
	Budget      float64        `toml:"budget"`     // stop before more is spent; 0: no limit
}

// Train says how a model is made, examples included.
type Train struct {
	Name    string  `toml:"name"`
	Mode    string  `toml:"mode"`    // mixing: human_only, synth_only, full, full_upsampled, human_only_ft, ratio; default by what there is
	Ratio   float64 `toml:"ratio"`   // of mode ratio: human examples to every synthetic one
	First   int     `toml:"first"`   // of mode human_only_ft: passes through the synthetic examples before the human ones; default 5
	Choice  string  `toml:"choice"`  // of the target among a concept's names: tfidf (default), edit, preferred
	Noisy   float64 `toml:"noisy"`   // perturbed names of the knowledge base per human example
	Synonym float64 `toml:"synonym"` // synonym pairs per human example
	Noise   float64 `toml:"noise"`   // chance that a human or synthetic mention is perturbed
	Both    bool    `toml:"both"`    // with link.expand: short and long form in turn
	Context string  `toml:"context"` // none, sentence, window, document; default none: small models learn more from names
	Words   int     `toml:"words"`   // of context window (default 10) and document (default 300), to either side
	Memory  int     `toml:"memory"`  // earlier links of the document in the prompt; default none

	// Base is the folder of a model to fine-tune, in the form of Hugging Face (see `syncabel import model`); without it a model is
	// trained from scratch.
	Base      string  `toml:"base" json:",omitempty"`
	LoRA      int     `toml:"lora" json:",omitempty"`       // rank of adapters to train on base, kept in the folder adapter too; 0: train all weights
	LoRAAlpha float64 `toml:"lora_alpha" json:",omitempty"` // their scale is lora_alpha/lora; default twice the rank
	Recompute bool    `toml:"recompute" json:",omitempty"`  // activations again in the backward pass: less memory, a third more time; on by itself above 1 GiB

	// Released is the folder of a model that was trained elsewhere, which links as it is.
	Released string `toml:"released" json:",omitempty"`
	Prompt   string `toml:"prompt" json:",omitempty"` // of a released model: reference, as checkpoints of arXiv 2601.19667 are asked; default: as this program asks

	Engine   string            `toml:"engine" json:",omitempty"` // native (default) or torchrun: PyTorch on GPUs, see [train.torchrun]
	Torchrun torchrun.Settings `toml:"torchrun" json:",omitzero"`

	DType string `toml:"dtype" json:",omitempty"` // of the stored weights: float32 (default) or bfloat16, half the size

	// Members is the number of models whose probabilities are averaged, trained with seeds that follow on each other; default 1. Training and
	// linking take as many times as long.
	Members int `toml:"members" json:",omitempty"`

	Preset      string  `toml:"preset"`     // tiny, small, base; default small
	Vocabulary  int     `toml:"vocabulary"` // tokens; default 4000
	Tokens      int     `toml:"tokens"`     // budget of training tokens
	BatchTokens int     `toml:"batch_tokens"`
	LR          float64 `toml:"lr"`
	FinalLR     float64 `toml:"final_lr"`
	Warmup      int     `toml:"warmup"`
	Schedule    string  `toml:"schedule" json:",omitempty"` // of the learning rate after warm-up: linear (default) or cosine
	Decay       float64 `toml:"decay"`
	MaxLength   int     `toml:"max_length"`
}

// Ranker says how the order of stage 0 is learnt.
type Ranker struct {
	Off        bool    `toml:"off"`        // stage 0 stays in the order of cosines
	Candidates int     `toml:"candidates"` // concepts by cosine; default 16
	Hide       float64 `toml:"hide"`       // part of the training mentions also seen as of unknown concepts; default 0.5
	Rounds     int     `toml:"rounds"`     // trees; default 120
	Leaves     int     `toml:"leaves"`     // of a tree; default 12
	Rate       float64 `toml:"rate"`       // step of a tree; default 0.07

	// Lexicons say what texts write for words of names, in another language or the same: tables that come with the program, by name
	// (en-clinical, es-clinical, fr-clinical), and files of term, other and weight (import lexicon makes them of dictionaries).
	Lexicons []string `toml:"lexicons" json:",omitempty"`

	// Folds makes a second ranker for hybrid that also hears the model: the training documents are divided into so many parts, a model is trained
	// without each in turn, and what it says of that part's mentions is what the trees learn from. 0: hybrid weighs model and ranker on dev.
	Folds int `toml:"folds" json:",omitempty"`
}

// Link says how mentions are linked.
type Link struct {
	Split      string   `toml:"split"` // default "test"
	Modes      []string `toml:"modes"` // default free, beam-trie, hybrid
	Beams      int      `toml:"beams"` // default 5
	Candidates int      `toml:"candidates"`
	NamesEach  int      `toml:"names_each"`
	Keep       int      `toml:"keep"`
	Expand     bool     `toml:"expand"`     // abbreviations by their document's long form, in training and linking
	Coordinate bool     `toml:"coordinate"` // "ear and limb malformations" by its first member, in linking only
	Certify    string   `toml:"certify"`    // what certified-top1 proves best: "trie" (default) by beam-trie's score, "hf" by beam-hf's
	NIL        float64  `toml:"nil"`        // hybrid and ranked abstain where no candidate is right with more than this probability; 0: never
	// Closed says that every mention means a concept of the knowledge base, as in closed benchmarks: annotated mentions that mean another do not
	// teach how likely none is.
	Closed bool `toml:"closed" json:",omitempty"`
	// Composites lets a mention mean several concepts at once: all members of a coordination, or what training annotated the string with.
	Composites bool `toml:"composites" json:",omitempty"`
	// Several lets beam-hf write several names with <SEP> between them, none twice, as the published search does on SPACCC.
	Several bool `toml:"several" json:",omitempty"`
	// Calibration of probabilities in hybrid and ranked: auto (default: per semantic group, whichever of the next two does better on development
	// documents held out), scaling (temperature and a bias on none being right), isotonic (rising curves on top), none.
	Calibration string            `toml:"calibration" json:",omitempty"`
	EndToEnd    bool              `toml:"end_to_end"` // also find the mentions of the split oneself and score spans, groups and concepts together
	GroupMap    map[string]string `toml:"group_map"`
	Oracle      Oracle            `toml:"oracle" json:",omitzero"` // servers that compute in place of this process
}

// Ablation asks what each addition of linking does: the run's own models link with one more at a time, and each is paired with what was there
// before. Nothing is trained anew but weights.
type Ablation struct {
	On    bool   `toml:"on"`
	Model string `toml:"model"` // variant; default the last
}

// Eval says how predictions are scored.
type Eval struct {
	Protocol string `toml:"protocol"`
	Lenient  bool   `toml:"lenient"`
	Samples  int    `toml:"samples"`
}

// maxConfig bounds a config file.
const maxConfig = 4 << 20

// LoadConfig reads a config and applies settings `stage.key=value`. An unknown key is an error that names the nearest one.
func LoadConfig(path string, settings []string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading config: %w", err)
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("reading config %s: larger than %d bytes", path, maxConfig)
	}
	c, err := ParseConfig(b, path, settings)
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(c.Data) {
		c.Data = filepath.Join(filepath.Dir(path), c.Data)
	}
	return c, nil
}

// ParseConfig is LoadConfig for a config in memory; name stands in errors.
func ParseConfig(b []byte, name string, settings []string) (*Config, error) {
	var c Config
	if err := strict(b, name, &c); err != nil {
		return nil, err
	}
	tree := map[string]any{}
	if err := toml.Unmarshal(b, &tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, s := range settings {
		if err := set(tree, s); err != nil {
			return nil, err
		}
	}
	b, err := toml.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c = Config{}
	if err := strict(b, "--set", &c); err != nil {
		return nil, err
	}
	if err := c.inherit(tree); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &c, c.check(name)
}

// inherit lays each model's own keys over those of [train].
func (c *Config) inherit(tree map[string]any) error {
	if len(c.Models) == 0 {
		c.Models = []Train{c.Train}
		c.Models[0].Name = cmp.Or(c.Train.Name, "full")
		return nil
	}
	tables, _ := tree["model"].([]any)
	for i, table := range tables {
		b, err := toml.Marshal(table)
		if err != nil {
			return err
		}
		m := c.Train
		if err := toml.Unmarshal(b, &m); err != nil {
			return err
		}
		c.Models[i] = m
	}
	return nil
}

func (c *Config) check(name string) error {
	c.Name = cmp.Or(c.Name, strings.TrimSuffix(filepath.Base(name), ".toml"))
	if len(c.Seeds) == 0 {
		c.Seeds = []uint64{1}
	}
	c.Link.Split = cmp.Or(c.Link.Split, "test")
	if c.Refit && c.Link.Split == "dev" {
		return fmt.Errorf("%s: refit trains on the development documents, so that they cannot be linked as a test: set link.split to test, or refit to false", name)
	}
	if len(c.Link.Modes) == 0 {
		c.Link.Modes = []string{"free", "beam-trie", "hybrid"}
	}
	if c.Link.Certify != "" && c.Link.Certify != "trie" && c.Link.Certify != "hf" {
		return fmt.Errorf("%s: link.certify is %q: trie or hf is expected", name, c.Link.Certify)
	}
	if err := c.Link.Oracle.check(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if m := c.Link.Calibration; m != "" && !slices.Contains(link.CalibrationMethods(), m) {
		return fmt.Errorf("%s: link.calibration is %q: %s is expected", name, m, strings.Join(link.CalibrationMethods(), ", "))
	}
	if len(c.KB.Paths) == 0 {
		return fmt.Errorf("%s: [kb] names no file: set kb.paths", name)
	}
	if slices.ContainsFunc(c.Corpus, func(k Corpus) bool { return k.Groups != "" && k.Groups != "gold" }) {
		return fmt.Errorf("%s: corpus.groups is gold or nothing", name)
	}
	for _, k := range c.Corpus {
		if _, err := regexp.Compile(k.Series); err != nil {
			return fmt.Errorf("%s: corpus.series is no pattern: %w", name, err)
		}
	}
	if len(c.Corpus) == 0 {
		return fmt.Errorf("%s: there is no [[corpus]]", name)
	}
	var names []string
	for i := range c.Models {
		m := &c.Models[i]
		if m.Engine == "native" {
			m.Engine = ""
		}
		if m.Name == "" || strings.ContainsAny(m.Name, `/\@`) || slices.Contains(names, m.Name) {
			return fmt.Errorf("%s: every [[model]] needs a name of its own without / and @; %q is not", name, m.Name)
		}
		names = append(names, m.Name)
		if err := cmp.Or(m.check(), c.checkMembers(m)); err != nil {
			return fmt.Errorf("%s: model %s: %w", name, m.Name, err)
		}
	}
	if c.Ablation.Model = cmp.Or(c.Ablation.Model, names[len(names)-1]); !slices.Contains(names, c.Ablation.Model) {
		return fmt.Errorf("%s: ablation.model is %q: have %s", name, c.Ablation.Model, strings.Join(names, ", "))
	}
	return nil
}

// checkMembers refuses seeds that would share a member, and members that cannot be averaged.
func (c *Config) checkMembers(t *Train) error {
	if t.Members < 2 {
		return nil
	}
	if c.Link.Oracle.set() {
		return errMembers
	}
	for i, a := range c.Seeds {
		for _, b := range c.Seeds[:i] {
			if max(a, b)-min(a, b) < uint64(t.Members) {
				return fmt.Errorf("train.members = %d: seeds %d and %d would share a model: leave so many between them, such as [1, %d]", t.Members, b, a, 1+t.Members)
			}
		}
	}
	return nil
}

func (t *Train) check() error {
	if err := markupOptions(*t).Check(); err != nil {
		return err
	}
	switch {
	case t.Released != "" && (t.Base != "" || t.Preset != "" || t.Vocabulary != 0 || t.LoRA != 0):
		return errors.New("train.released is not trained any more: remove train.base, train.preset, train.vocabulary and train.lora")
	case t.Prompt != "" && t.Released == "":
		return errors.New("train.prompt is how a released model is asked (train.released); models trained here have this program's form")
	case t.Base != "" && (t.Preset != "" || t.Vocabulary != 0):
		return errors.New("train.base brings its own size and vocabulary: remove train.preset and train.vocabulary")
	case t.Base == "" && t.LoRA != 0:
		return errors.New("train.lora needs train.base: adapters are put on a model that exists")
	case t.DType != "" && !slices.Contains(checkpoint.DTypes, t.DType):
		return fmt.Errorf("train.dtype = %q: have %s", t.DType, strings.Join(checkpoint.DTypes, ", "))
	case t.Members < 0 || t.Members > 1 && t.Released != "":
		return fmt.Errorf("train.members = %d: at least 1, and 1 of a released model, which is one", t.Members)
	case t.LoRA < 0:
		return fmt.Errorf("train.lora = %d is no rank", t.LoRA)
	case !slices.Contains([]string{"", train.Linear, train.Cosine}, t.Schedule):
		return fmt.Errorf("train.schedule = %q: have %s, %s", t.Schedule, train.Linear, train.Cosine)
	case !slices.Contains([]string{"", Torchrun}, t.Engine):
		return fmt.Errorf("train.engine = %q: have native, %s", t.Engine, Torchrun)
	}
	return t.Torchrun.Check()
}

// strict decodes and turns unknown keys into an error with line and nearest key.
func strict(b []byte, name string, into any) error {
	dec := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	err := dec.Decode(into)
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		e := missing.Errors[0]
		row, _ := e.Position()
		key := strings.Join(e.Key(), ".")
		where := fmt.Sprintf("%s:%d", name, row)
		if name == "--set" {
			where = name
		}
		return fmt.Errorf("%s: unknown key %q%s", where, key, didYouMean(key, Keys()))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		row, column := decode.Position()
		return fmt.Errorf("%s:%d:%d: %w", name, row, column, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func didYouMean(key string, known []string) string {
	best, at := len(key)/2+2, ""
	for _, k := range known {
		if d := distance(key, k); d < best {
			best, at = d, k
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", at)
}

// Keys returns every key a config may have, `stage.key`.
func Keys() []string {
	var out []string
	walkKeys(reflect.TypeFor[Config](), "", &out)
	return out
}

func walkKeys(t reflect.Type, prefix string, out *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := prefix + f.Tag.Get("toml")
		*out = append(*out, key)
		ft := f.Type
		if ft.Kind() == reflect.Slice {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct {
			walkKeys(ft, key+".", out)
		}
	}
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			up := row[j+1]
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(up+1, row[j]+1, diag+cost)
			diag = up
		}
	}
	return row[len(b)]
}

// set applies `a.b=value`; a part that is a number picks an element of an array. The value is TOML, or else a string.
func set(tree map[string]any, setting string) error {
	key, value, ok := strings.Cut(setting, "=")
	if !ok || key == "" {
		return fmt.Errorf("--set %q: stage.key=value is expected", setting)
	}
	if !slices.Contains(Keys(), unnumbered(key)) && !strings.HasPrefix(key, "link.group_map.") && !strings.HasPrefix(key, "kb.columns.") {
		return fmt.Errorf("--set: unknown key %q%s", key, didYouMean(key, Keys()))
	}
	if key == "data" {
		abs, err := filepath.Abs(value)
		if err != nil {
			return fmt.Errorf("--set data: %w", err)
		}
		tree["data"] = abs
		return nil
	}
	parts := strings.Split(key, ".")
	at := tree
	for i, p := range parts[:len(parts)-1] {
		next, err := descend(at, p, parts[i+1])
		if err != nil {
			return fmt.Errorf("--set %q: %w", setting, err)
		}
		at = next
		if isNumber(parts[i+1]) {
			parts[i+1] = ""
		}
	}
	at[parts[len(parts)-1]] = literal(value)
	return nil
}

// descend enters a table, or the numbered (else the first) element of an array of tables.
func descend(at map[string]any, key, next string) (map[string]any, error) {
	if key == "" {
		return at, nil
	}
	switch v := at[key].(type) {
	case nil:
		t := map[string]any{}
		at[key] = t
		return t, nil
	case map[string]any:
		return v, nil
	case []any:
		i := 0
		if isNumber(next) {
			fmt.Sscanf(next, "%d", &i)
		}
		if i < len(v) {
			if t, ok := v[i].(map[string]any); ok {
				return t, nil
			}
		}
		return nil, fmt.Errorf("%q has %d elements", key, len(v))
	}
	return nil, fmt.Errorf("%q is no section", key)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func unnumbered(key string) string {
	var out []string
	for _, p := range strings.Split(key, ".") {
		if !isNumber(p) {
			out = append(out, p)
		}
	}
	return strings.Join(out, ".")
}

func literal(value string) any {
	t := map[string]any{}
	if err := toml.Unmarshal([]byte("v = "+value), &t); err == nil {
		return t["v"]
	}
	return value
}
