package synth

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"syncabel/internal/text"
)

// A likeness says how a mention resembles the names of its concept.
type likeness int

const (
	unlike   likeness = iota // shares nothing with any name
	similar                  // shares a word that tells, an abbreviation, or most of its letters
	sameName                 // equals a name up to case, accents and plural
)

// names are the names of a concept, prepared for comparing mentions with them.
type names struct {
	folded []string
	words  [][]string // of each, without the words that tell nothing
	stems  map[string]bool
}

func newNames(list []string) *names {
	n := &names{stems: map[string]bool{}}
	for _, s := range list {
		f := foldWords(s)
		n.folded = append(n.folded, strings.Join(f, " "))
		n.words = append(n.words, f)
		for _, w := range telling(f) {
			n.stems[stem(w)] = true
		}
	}
	return n
}

// like compares a mention with the names.
func (n *names) like(mention string) likeness {
	w := foldWords(mention)
	m := strings.Join(w, " ")
	for _, f := range n.folded {
		if m == f || plural(m) == plural(f) {
			return sameName
		}
	}
	for _, x := range telling(w) {
		if n.stems[stem(x)] || n.related(x) {
			return similar
		}
	}
	for i, f := range n.folded {
		if abbreviates(mention, n.words[i]) || abbreviates(f, w) || shortens(w, n.words[i]) || dice(m, f) >= minDice {
			return similar
		}
	}
	return unlike
}

// Thresholds, chosen on the demonstration's sentences: 0.45 still takes "eco cardiaco" for "ecocardiograma"; four letters tell
// "cirrhotic" from "circulatory".
const (
	minDice  = 0.45
	minAlike = 4
)

// related reports whether a word begins like a word of a name for most of its length, as inflected and derived forms do.
func (n *names) related(x string) bool {
	for _, words := range n.words {
		for _, w := range telling(words) {
			short := min(len(x), len(w))
			if p := commonPrefix(x, w); p >= minAlike && 5*p >= 3*short {
				return true
			}
		}
	}
	return false
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// stem cuts the endings of plural and gender.
func stem(w string) string {
	w = plural(w)
	if utf8.RuneCountInString(w) > 5 {
		w = strings.TrimRight(w, "aeoy")
	}
	return w
}

func plural(w string) string {
	switch {
	case len(w) > 5 && strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y"
	case len(w) > 5 && strings.HasSuffix(w, "es"):
		return w[:len(w)-2]
	case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss"):
		return w[:len(w)-1]
	}
	return w
}

// abbreviates reports whether short is made of the initials of words, small words left out or not, or holds each word's beginning in
// order ("echo" for "echocardiography", "bili" for "bilirubin").
func abbreviates(short string, words []string) bool {
	s := strings.Join(foldWords(short), "")
	if n := utf8.RuneCountInString(s); n < 2 || n > 8 || len(words) == 0 {
		return false
	}
	all, big := initials(words), initials(telling(words))
	p := plural(s)
	for _, x := range []string{all, big} {
		if len(x) >= 2 && (s == x || p == x || subsequence(x, s) && len(x)+2 >= len(s) && len(x) >= 3) {
			return true
		}
	}
	return len(words) == 1 && len(s) >= 3 && strings.HasPrefix(words[0], s)
}

// shortens reports whether every word of a begins the word of b in its place, as in "hep A" for "hepatitis A".
func shortens(a, b []string) bool {
	if len(a) != len(b) || len(a) == 0 || len(a[0]) < 3 {
		return false
	}
	for i := range a {
		if !strings.HasPrefix(b[i], a[i]) {
			return false
		}
	}
	return true
}

func initials(words []string) string {
	var b strings.Builder
	for _, w := range words {
		r, _ := utf8.DecodeRuneInString(w)
		b.WriteRune(r)
	}
	return b.String()
}

// subsequence reports whether the letters of a stand in b in their order.
func subsequence(a, b string) bool {
	i := 0
	for j := 0; i < len(a) && j < len(b); j++ {
		if a[i] == b[j] {
			i++
		}
	}
	return i == len(a)
}

// dice is the share of letter pairs that two strings have in common.
func dice(a, b string) float64 {
	x, y := pairs(a), pairs(b)
	if len(x)+len(y) == 0 {
		return 0
	}
	both := 0
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			both, i, j = both+1, i+1, j+1
		case x[i] < y[j]:
			i++
		default:
			j++
		}
	}
	return 2 * float64(both) / float64(len(x)+len(y))
}

// pairs returns the pairs of neighbouring letters, sorted.
func pairs(s string) []string {
	var out []string
	for i := 0; i+2 <= len(s); i++ {
		if p := s[i : i+2]; p[0] != ' ' && p[1] != ' ' {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// telling drops the words that name no concept by themselves.
func telling(words []string) []string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		if len(w) > 1 && !vague[w] && !vague[plural(w)] {
			out = append(out, w)
		}
	}
	return out
}

// foldWords cuts a text into words in lower case without accents.
func foldWords(s string) []string {
	return strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// fold lower-cases and takes accents off.
func fold(s string) string {
	return ligatures.Replace(text.WithoutAccents(strings.ToLower(s)))
}

// ligatures are written out.
var ligatures = strings.NewReplacer("œ", "oe", "æ", "ae", "ß", "ss")

// set makes a set of the words of a text.
func set(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// vague words stand in the names of very many concepts, or in any sentence of a note: sharing one says nothing.
var vague = set(`of the and in to with for by on at from or an type acute chronic disease disorder syndrome condition severe mild primary
secondary left right upper lower unspecified other nos test examination procedure therapy treatment agent drug product finding
maladie trouble syndrome affection aigu aigue chronique de du des la le les et en un une par pour avec au aux sur droit droite gauche superieur
inferieur primaire secondaire traitement examen medicament produit
enfermedad trastorno sindrome afeccion agudo aguda cronico cronica del el los las y un una por para con al derecho derecha izquierdo izquierda
superior inferior primario secundario tratamiento examen farmaco producto prueba`)

// generic words are what models bracket when they miss the concept: people, places and things of every note. Alone they are the
// mention of hardly any concept; where one is a concept, its name is equal and passes.
var generic = set(`patient patients man men woman women boy girl child children infant infants adult adults people person persons subject subjects participant
participants hospital clinic ward department unit doctor physician nurse surgeon family mother father history day days week weeks month months year years
admission discharge visit follow case cases report study trial cohort group control controls result results diagnosis treatment therapy symptoms
symptom outcome risk dose age baseline he she they it his her
patiente homme hommes femme femmes garcon fille enfant enfants adulte adultes personne personnes hopital service medecin infirmiere chirurgien famille
mere pere antecedents jour jours semaine semaines mois an ans annee annees hospitalisation sortie consultation suivi cas etude essai cohorte groupe
temoins resultat resultats diagnostic traitement symptome symptomes risque dose age il elle
paciente pacientes hombre hombres mujer mujeres varon nino nina ninos adulto adultos persona personas hospital servicio medico enfermera cirujano
familia madre padre antecedentes dia dias semana semanas mes meses ano anos ingreso alta consulta seguimiento caso casos estudio ensayo cohorte grupo
controles resultado resultados diagnostico tratamiento sintoma sintomas riesgo dosis edad el ella`)
