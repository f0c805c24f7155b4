package serve

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// pageRoutes serve the page and its parts from the binary.
func (s *Server) pageRoutes() {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the folder is embedded
	}
	index := template.Must(template.ParseFS(files, "index.html"))
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		data := struct{ Program, Run, Language string }{Program: s.opt.Program, Language: pageLanguage(r.Header.Get("Accept-Language"))}
		if len(s.opt.Runs) > 0 {
			data.Run = s.opt.Runs[0].Name
		}
		_ = index.Execute(w, data) // the client went away
	})
	parts := http.StripPrefix("/page/", http.FileServerFS(files))
	s.mux.HandleFunc("GET /page/{part}", func(w http.ResponseWriter, r *http.Request) {
		if p := r.PathValue("part"); p == "" || p == "index.html" {
			refuse(w, http.StatusNotFound, "there is no such page")
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		parts.ServeHTTP(w, r)
	})
}

// pageLanguage is the first of the page's languages that a browser asks for.
func pageLanguage(accept string) string {
	for _, part := range strings.Split(accept, ",") {
		l, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		l, _, _ = strings.Cut(strings.ToLower(l), "-")
		switch l {
		case "en", "fr", "es":
			return l
		}
	}
	return "en"
}
