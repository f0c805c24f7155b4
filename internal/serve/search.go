package serve

import "syncabel/internal/terminology"

// search finds concepts by code, name, beginning, word or with typing errors, in any language, best first.
func (s *Server) search(q, group string, limit int) []terminology.Hit {
	return s.opt.KB.Search(q, terminology.SearchOptions{Limit: limit, Group: group})
}

// children returns the directly narrower concepts, at most maxRelatives.
func (s *Server) children(i int) []int {
	list := s.opt.KB.Children(i)
	return list[:min(len(list), maxRelatives)]
}
