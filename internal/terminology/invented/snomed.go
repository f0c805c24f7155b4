package invented

import (
	"path/filepath"
	"strconv"
	"strings"
)

// SNOMEDOptions say how large a release is.
type SNOMEDOptions struct {
	Concepts  int
	Languages []string // the first has fully specified names; default "en"
	Seed      uint64
}

// SNOMED writes the snapshot of an invented edition to dir: concepts (one in four inactive, most with a replacement), descriptions with a
// language reference set each, is-a relationships, associations, a map.
func SNOMED(dir string, opt SNOMEDOptions) error {
	out, err := newFolder(dir)
	if err != nil {
		return err
	}
	if len(opt.Languages) == 0 {
		opt.Languages = []string{"en"}
	}
	s := &snomed{n: newNamer(opt.Seed), out: out, opt: opt, rows: 1}
	s.headings()
	for i := range opt.Concepts {
		s.concept(i)
	}
	return out.close()
}

type snomed struct {
	n    *namer
	out  *folder
	opt  SNOMEDOptions
	rows int
	b    []byte
}

const (
	conceptFile     = "Snapshot/Terminology/sct2_Concept_Snapshot_INV_20260101.txt"
	relationFile    = "Snapshot/Terminology/sct2_Relationship_Snapshot_INV_20260101.txt"
	associationFile = "Snapshot/Refset/Content/der2_cRefset_AssociationSnapshot_INV_20260101.txt"
	mapFile         = "Snapshot/Refset/Map/der2_iisssccRefset_ExtendedMapSnapshot_INV_20260101.txt"
)

func descriptionFile(language string) string {
	return filepath.Join("Snapshot", "Terminology", "sct2_Description_Snapshot-"+language+"_INV_20260101.txt")
}

func languageFile(language string) string {
	return filepath.Join("Snapshot", "Refset", "Language", "der2_cRefset_LanguageSnapshot-"+language+"_INV_20260101.txt")
}

func (s *snomed) headings() {
	head := func(file, rest string) {
		write(s.out.file(file), []byte("id\teffectiveTime\tactive\tmoduleId\t"+strings.ReplaceAll(rest, " ", "\t")+"\r\n"))
	}
	head(conceptFile, "definitionStatusId")
	head(relationFile, "sourceId destinationId relationshipGroup typeId characteristicTypeId modifierId")
	head(associationFile, "refsetId referencedComponentId targetComponentId")
	head(mapFile, "refsetId referencedComponentId mapGroup mapPriority mapRule mapAdvice mapTarget correlationId mapCategoryId")
	for _, l := range s.opt.Languages {
		head(descriptionFile(l), "conceptId languageCode typeId term caseSignificanceId")
		head(languageFile(l), "refsetId referencedComponentId acceptabilityId")
	}
}

// sctid makes an identifier of a partition: 00 concepts, 01 descriptions, 02 relationships.
func sctid(n int, partition string) string { return strconv.Itoa(100_000+n) + partition + "7" }

func (s *snomed) row(file, id, active string, cells ...string) {
	b := append(s.b[:0], id+"\t20260101\t"+active+"\t900000000000207008"...)
	for _, c := range cells {
		b = append(append(b, '\t'), c...)
	}
	s.b = append(b, '\r', '\n')
	write(s.out.file(file), s.b)
}

func (s *snomed) next(partition string) string {
	s.rows++
	return sctid(s.rows, partition)
}

func (s *snomed) concept(i int) {
	id, r := sctid(i, "00"), s.n.r
	if i%5 == 4 {
		s.row(conceptFile, id, "0", "900000000000074008")
		s.description(id, "en", "900000000000003001", s.n.name(false)+" (finding)", "900000000000548007")
		if r.IntN(4) > 0 {
			s.row(associationFile, "x"+strconv.Itoa(i), "1", "900000000000527005", id, sctid(i-1, "00"))
		}
		return
	}
	s.row(conceptFile, id, "1", "900000000000074008")
	tags := []string{"disorder", "finding", "procedure", "body structure", "substance", "organism", "product", "observable entity"}
	tag := tags[min(int(r.ExpFloat64()*2), len(tags)-1)]
	for _, l := range s.opt.Languages {
		name := s.n.name(l != "en")
		s.description(id, l, "900000000000003001", name+" ("+tag+")", "900000000000548007")
		s.description(id, l, "900000000000013009", name, "900000000000548007")
		for range min(int(r.ExpFloat64()*1.2), 12) {
			s.description(id, l, "900000000000013009", s.n.name(l != "en"), "900000000000549004")
		}
	}
	for range 1 + r.IntN(2) {
		if parent := r.IntN(max(i, 1)); i > 0 && parent%5 != 4 {
			s.row(relationFile, s.next("02"), "1", id, sctid(parent, "00"), "0", "116680003", "900000000000011006", "900000000000451002")
		}
		s.row(relationFile, s.next("02"), "1", id, sctid(r.IntN(i+1), "00"), "1", "363698007", "900000000000011006", "900000000000451002")
	}
	if r.IntN(3) == 0 {
		s.row(mapFile, "m"+strconv.Itoa(i), "1", "447562003", id, "1", "1", "TRUE", "ALWAYS A00.0", "A"+digits(r.IntN(100), 2)+".0", "447561005", "447637006")
	}
}

func (s *snomed) description(concept, language, kind, term, acceptability string) {
	id := s.next("01")
	s.row(descriptionFile(language), id, "1", concept, language, kind, term, "900000000000448009")
	s.row(languageFile(language), "l"+id, "1", "900000000000509007", id, acceptability)
}
