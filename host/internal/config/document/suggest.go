package document

import (
	"fmt"
	"slices"
	"strings"
)

// DidYouMean suggests the closest of the words that there are, or lists them.
func DidYouMean(word string, words []string) string {
	best, bestDistance := "", len(word)/3+2
	for _, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(w)); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(words) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(words))
	if len(sorted) > maxListed {
		return fmt.Sprintf("there are %s and %d more", strings.Join(sorted[:maxListed], ", "), len(sorted)-maxListed)
	}
	if len(sorted) == 1 {
		return "there is only " + sorted[0]
	}
	return "there are " + strings.Join(sorted, ", ")
}

// maxListed is how many words a cure lists at most.
const maxListed = 20

// distance counts the letters to insert, remove, replace or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	r, s := []rune(a), []rune(b)
	before, last, row := make([]int, len(s)+1), make([]int, len(s)+1), make([]int, len(s)+1)
	for j := range last {
		last[j] = j
	}
	for i := range r {
		row[0] = i + 1
		for j := range s {
			changed := last[j]
			if r[i] != s[j] {
				changed++
			}
			row[j+1] = min(changed, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && r[i] == s[j-1] && r[i-1] == s[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(s)]
}
