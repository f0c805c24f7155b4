// Command gen writes an invented release for benchmarks of the import:
//
//	go run ./internal/terminology/invented/gen -format umls -concepts 3400000 -rows 17000000 -out /tmp/META
//	go run ./internal/terminology/invented/gen -format snomed -concepts 450000 -out /tmp/RF2
package main

import (
	"bufio"
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
	file := flag.String("scan", "", "only read this file, split its rows at the bars and print their number: what the import is compared with")
	flag.Parse()
	var err error
	switch {
	case *file != "":
		err = scan(*file)
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

// scan is the plainest reader of rows.
func scan(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 1<<20), 16<<20)
	rows := 0
	for sc.Scan() {
		if len(strings.Split(sc.Text(), "|")) > 1 {
			rows++
		}
	}
	fmt.Println(rows)
	return sc.Err()
}
