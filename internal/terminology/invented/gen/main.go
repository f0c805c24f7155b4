// Command gen writes an invented release for benchmarks of the import:
//
//	go run ./internal/terminology/invented/gen -format umls -concepts 3400000 -rows 17000000 -out /tmp/META
//	go run ./internal/terminology/invented/gen -format snomed -concepts 450000 -out /tmp/RF2
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"syncabel/internal/terminology/invented"
)

func main() {
	format := flag.String("format", "umls", "umls or snomed")
	concepts := flag.Int("concepts", 10_000, "concepts; of SNOMED CT one in five is inactive")
	rows := flag.Int("rows", 50_000, "rows of MRCONSO")
	languages := flag.String("languages", "en,es", "of SNOMED CT")
	seed := flag.Uint64("seed", 1, "seed")
	out := flag.String("out", "", "folder to write")
	flag.Parse()
	var err error
	switch {
	case *out == "":
		err = fmt.Errorf("-out is missing")
	case *format == "umls":
		err = invented.UMLS(*out, invented.UMLSOptions{Concepts: *concepts, Rows: *rows, Seed: *seed})
	case *format == "snomed":
		err = invented.SNOMED(*out, invented.SNOMEDOptions{Concepts: *concepts, Languages: strings.Split(*languages, ","), Seed: *seed})
	default:
		err = fmt.Errorf("unknown format %q", *format)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
