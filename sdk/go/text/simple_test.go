package text

import (
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/rivo/uniseg"
)

// simpleSplit is the algorithm for plain text in its simplest form: what Split must give
// for a text without mentions.
func simpleSplit(text, prefix string, limits *plugv1.Limits) []string {
	r := newRuler(limits)
	if r.measure(prefix) > r.length/2 {
		prefix = prefix[:ruler{unit: r.unit, length: r.length / 2, lines: 1}.simpleFit(prefix).end]
	}
	r.length -= r.measure(prefix)
	most := int(limits.GetParts())
	var parts []string
	for rest := text; rest != ""; {
		var found []string
		found, rest = r.simpleFirst(rest)
		for _, part := range found {
			if strings.TrimSpace(part) == "" {
				continue
			}
			if most > 0 && len(parts) == most {
				short := r
				if short.length -= r.measure(ellipsis); short.length > 0 {
					last := strings.TrimPrefix(parts[most-1], prefix)
					parts[most-1] = prefix + last[:short.simpleFit(last).end] + ellipsis
				}
				return parts
			}
			parts = append(parts, prefix+part)
		}
	}
	if len(parts) == 0 {
		return []string{prefix + text[:r.simpleFit(text).end]}
	}
	return parts
}

func (r ruler) simpleFirst(text string) (found []string, rest string) {
	f := r.simpleFit(text)
	switch {
	case f.end == len(text):
		return []string{text}, ""
	case f.line != gap{}:
		return []string{text[:f.line.from]}, text[f.line.to:]
	case f.space != gap{}:
		return []string{text[:f.space.from]}, text[f.space.to:]
	case f.end > 0:
		return []string{text[:f.end]}, text[f.end:]
	}
	begin, used := 0, 0
	for i, c := range text[:f.next] {
		n := r.measure(string(c))
		if used+n > r.length && i > begin {
			found = append(found, text[begin:i])
			begin, used = i, 0
		}
		used += n
	}
	return append(found, text[begin:f.next]), text[f.next:]
}

func (r ruler) simpleFit(text string) fitting {
	var f fitting
	used, lines, state := 0, 1, -1
	for rest := text; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		f.next = f.end + len(cluster)
		switch cluster {
		case "\n", "\r\n":
			f.line = gap{f.end, f.next}
			lines++
		case " ", "\t":
			f.space = gap{f.end, f.next}
		}
		used += r.measure(cluster)
		if used > r.length || lines > r.lines {
			return f
		}
		f.end = f.next
	}
	return f
}
