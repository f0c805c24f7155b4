package fake

import (
	"encoding/json"
	"fmt"
	"strings"
)

// frames are sentences with a place for a name, by language. %[1]s is the name in brackets, %[2]d a number, %[3]s a word that
// varies.
var frames = map[string][]string{
	"en": {
		"The %[3]s team confirmed %[1]s on day %[2]d of the admission and changed the plan.",
		"After %[2]d weeks of follow-up by the %[3]s service, %[1]s was still noted in the letter.",
		"She was referred to the %[3]s clinic because of %[1]s that had first been seen %[2]d months before.",
		"In %[2]d of the patients from the %[3]s ward, %[1]s was recorded at the first visit.",
		"His history includes %[1]s, which the %[3]s registrar documented in room %[2]d.",
		"We compared %[2]d adults with %[1]s against controls from the %[3]s unit.",
		"At the %[3]s meeting the team discussed %[1]s and set a review in %[2]d days.",
	},
	"fr": {
		"L'équipe de %[3]s a confirmé %[1]s au jour %[2]d de l'hospitalisation et a changé le traitement.",
		"Après %[2]d semaines de suivi dans le service de %[3]s, %[1]s était toujours noté dans la lettre.",
		"Elle a été adressée à la consultation de %[3]s pour %[1]s, vu pour la première fois il y a %[2]d mois.",
		"Chez %[2]d des patients de l'unité de %[3]s, %[1]s a été relevé dès la première visite.",
		"Son dossier mentionne %[1]s, que l'interne de %[3]s a décrit dans la chambre %[2]d.",
		"Nous avons comparé %[2]d adultes avec %[1]s à des témoins du service de %[3]s.",
		"Lors de la réunion de %[3]s, l'équipe a discuté de %[1]s et prévu un contrôle dans %[2]d jours.",
	},
	"es": {
		"El equipo de %[3]s confirmó %[1]s en el día %[2]d del ingreso y cambió el tratamiento.",
		"Tras %[2]d semanas de seguimiento en el servicio de %[3]s, %[1]s seguía anotado en el informe.",
		"Fue derivada a la consulta de %[3]s por %[1]s, visto por primera vez hace %[2]d meses.",
		"En %[2]d de los pacientes de la unidad de %[3]s se registró %[1]s en la primera visita.",
		"Sus antecedentes incluyen %[1]s, que el residente de %[3]s describió en la sala %[2]d.",
		"Comparamos %[2]d adultos con %[1]s frente a los controles del servicio de %[3]s.",
		"En la sesión de %[3]s el equipo comentó %[1]s y fijó una revisión en %[2]d días.",
	},
}

// wards vary the frames.
var wards = map[string][]string{
	"en": {"cardiology", "surgery", "paediatrics", "oncology", "neurology", "geriatrics", "emergency", "nephrology", "dermatology", "rheumatology", "trauma"},
	"fr": {"cardiologie", "chirurgie", "pédiatrie", "cancérologie", "neurologie", "gériatrie", "réanimation", "néphrologie", "dermatologie", "rhumatologie", "médecine"},
	"es": {"cardiología", "cirugía", "pediatría", "oncología", "neurología", "geriatría", "urgencias", "nefrología", "dermatología", "reumatología", "medicina"},
}

// marks begin the line of a prompt that lists the names of its concept, by language; the names follow, parted by semicolons.
var marks = []struct{ language, start string }{{"en", "Names:"}, {"fr", "Noms :"}, {"es", "Nombres:"}}

// subject finds the language and the names in a prompt.
func subject(prompt string) (language string, names []string) {
	for line := range strings.Lines(prompt) {
		for _, m := range marks {
			rest, ok := strings.CutPrefix(strings.TrimSpace(line), m.start)
			if !ok {
				continue
			}
			for _, n := range strings.Split(rest, ";") {
				if n = strings.TrimSpace(n); n != "" {
					names = append(names, n)
				}
			}
			return m.language, names
		}
	}
	return "en", nil
}

// Sentences answers a prompt of package synth: three sentences with a name of the concept in brackets, as lines or in the
// schema's one list, with the fault that is wanted. Other prompts get a line that says so.
func Sentences(a Ask) string {
	language, names := subject(a.User)
	if len(names) == 0 {
		return "This prompt names no concept."
	}
	if a.Fault == Language {
		language = map[string]string{"en": "fr", "fr": "es", "es": "en"}[language]
	}
	const sentences = 3
	var lines []string
	for i := range sentences {
		h := hash(uint64(a.Seed), a.User, fmt.Sprint(i))
		pool, ward := frames[language], wards[language]
		frame := pool[(h+uint64(i))%uint64(len(pool))]
		line := fmt.Sprintf(frame, "["+names[h>>8%uint64(len(names))]+"]", 2+h>>16%97, ward[h>>24%uint64(len(ward))])
		switch {
		case a.Fault == Duplicate && i > 0:
			line = lines[0]
		case a.Fault == Bracket:
			line = strings.Replace(line, "]", "", 1)
		}
		lines = append(lines, line)
	}
	if a.Schema == nil {
		return strings.Join(lines, "\n")
	}
	return inSchema(a.Schema, lines)
}

// inSchema puts lines into the first required property of a schema.
func inSchema(schema json.RawMessage, lines []string) string {
	var s struct {
		Required []string `json:"required"`
	}
	if json.Unmarshal(schema, &s) != nil || len(s.Required) == 0 {
		return "{}"
	}
	return asJSON(map[string]any{s.Required[0]: lines})
}
