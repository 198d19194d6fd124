package files

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// stalled is how long a transfer may make no progress.
const stalled = 30 * time.Second

// transfers is the most that run at once, uploads and downloads each.
const transfers = 64

// Handler serves the files: POST / takes the bytes of one and answers with what it
// is, GET /{hash} gives them. Who may do so has been found out before.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /{$}", atOnce(s.upload))
	mux.Handle("GET /{hash}", atOnce(s.download))
	return mux
}

// atOnce bounds how many requests run at once.
func atOnce(handle http.HandlerFunc) http.Handler {
	slots := make(chan struct{}, transfers)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			handle(w, r)
		default:
			http.Error(w, "Too many files are on their way. Try again.", http.StatusServiceUnavailable)
		}
	})
}

// Uploaded is the answer to an upload.
type Uploaded struct {
	Hash   string `json:"hash"`
	Type   string `json:"type"`
	Size   int64  `json:"size"`
	Shown  bool   `json:"shown"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

func (s *Store) upload(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > s.Each {
		http.Error(w, ErrTooLarge.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	info, err := s.Put(&arriving{r: r, c: http.NewResponseController(w)})
	switch {
	case errors.Is(err, ErrTooLarge):
		http.Error(w, ErrTooLarge.Error(), http.StatusRequestEntityTooLarge)
	case errors.Is(err, ErrFull):
		http.Error(w, ErrFull.Error(), http.StatusInsufficientStorage)
	case errors.Is(err, ErrEmpty):
		http.Error(w, ErrEmpty.Error(), http.StatusBadRequest)
	case err != nil:
		http.Error(w, "the file could not be stored", http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(Uploaded{info.Hash, info.Type, info.Size, info.Shown, info.Width, info.Height}) // the page has gone
	}
}

// download gives a file in a way in which it can't do anything: its type is ours and
// is not guessed, nothing in it may run, and what is no image is only saved. Its
// name is told by the link that leads here.
func (s *Store) download(w http.ResponseWriter, r *http.Request) {
	f, info, err := s.Open(r.PathValue("hash"))
	if errors.Is(err, ErrNone) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, "the file could not be read", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", "attachment")
	if info.Shown {
		h.Set("Content-Type", info.Type)
		h.Set("Content-Disposition", "inline")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=86400, immutable")
	h.Set("ETag", `"`+info.Hash+`"`)
	http.ServeContent(&departing{ResponseWriter: w, c: http.NewResponseController(w)}, r, "", time.Time{}, f)
}

// arriving is a body that may take as long as it goes on coming.
type arriving struct {
	r *http.Request
	c *http.ResponseController
}

func (a *arriving) Read(b []byte) (int, error) {
	// An error means that there are no deadlines here, as in a test.
	_ = a.c.SetReadDeadline(time.Now().Add(stalled))
	_ = a.c.SetWriteDeadline(time.Now().Add(2 * stalled))
	return a.r.Body.Read(b)
}

// departing is an answer that may take as long as it goes on being taken.
type departing struct {
	http.ResponseWriter
	c *http.ResponseController
}

func (d *departing) Write(b []byte) (int, error) {
	_ = d.c.SetWriteDeadline(time.Now().Add(stalled)) // as above
	return d.ResponseWriter.Write(b)
}
