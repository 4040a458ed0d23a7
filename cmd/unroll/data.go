package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/datasets/imdb"
)

// dataFlags say what the data are and how they are prepared, for every verb that reads some.
type dataFlags struct {
	data             string
	numWords, maxLen int
}

func (f *dataFlags) register(fs *pflag.FlagSet, def string) {
	fs.StringVar(&f.data, "data", def, "reviews, imdb, a `FILE` (.npz, .npy, .csv, .tsv, .jsonl, .txt), or a folder of one folder a class")
	fs.IntVar(&f.numWords, "num-words", 0, "keep the most frequent words: ids below it (default: input_dim of the embedding)")
	fs.IntVar(&f.maxLen, "maxlen", 0, "cut or pad sequences to this length (default: 500 for reviews and imdb, else the longest)")
}

func (f *dataFlags) check() error {
	switch {
	case f.numWords < 0:
		return usage("--num-words: expected 1 or more, got %d", f.numWords)
	case f.maxLen < 0:
		return usage("--maxlen: expected 1 or more, got %d", f.maxLen)
	}
	return nil
}

// request is the data for a model.
func (f *dataFlags) request(in wanted, progress io.Writer) dataRequest {
	r := dataRequest{name: f.data, numWords: f.numWords, cut: f.numWords > 0, maxLen: f.maxLen, progress: progress, texts: in.texts}
	if r.numWords == 0 {
		r.numWords = in.words
	}
	return r
}

// printJSON prints one value, a line.
func printJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// known is a data set with a name.
type known struct {
	Name    string `json:"name"`
	What    string `json:"what"`
	From    string `json:"from"`
	Licence string `json:"licence"`
	Cached  bool   `json:"cached"`
	Path    string `json:"path,omitempty"` // in the cache
}

func knownData() ([]known, error) {
	path, there, err := imdb.Archive().Cached()
	if err != nil {
		return nil, err
	}
	return []known{
		{Name: "reviews", What: "25,000 + 25,000 made-up film reviews, praise or blame", From: "a grammar in this program", Licence: "Apache-2.0", Cached: true},
		{Name: "imdb", What: "25,000 + 25,000 film reviews from IMDB, praise or blame", From: imdb.Archive().URL,
			Licence: "none stated; cite Maas et al., ACL 2011", Cached: there, Path: path},
	}, nil
}

func dataCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "data [NAME]",
		Short: "List the data sets that have names, or fetch one",
		Long: `data lists the data sets that --data takes by name: what they are, where they are from, under which licence, and
whether they are here. With a NAME it fetches that one into the user's cache ($UNROLL_CACHE where it is set) and
compares its checksum.`,
		Example: `  unroll data
  unroll data imdb`,
		Args: between(0, 1, "at most one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, err := knownData()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return fetchData(cmd, sets, args[0])
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), sets)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 3, ' ', 0)
			for _, s := range sets {
				fmt.Fprintf(w, "%s\t%s\n\tfrom %s\n\tlicence: %s\n\t%s\n", s.Name, s.What, s.From, s.Licence, s.where())
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// where says whether the set is here.
func (s known) where() string {
	switch {
	case s.Path == "":
		return "here: part of the program"
	case s.Cached:
		return "here: " + s.Path
	}
	return "not here yet: unroll data " + s.Name + " fetches it"
}

func fetchData(cmd *cobra.Command, sets []known, name string) error {
	for _, s := range sets {
		if s.Name != name {
			continue
		}
		if !s.Cached {
			fmt.Fprintf(cmd.ErrOrStderr(), "fetching %s\n", s.From)
			if _, err := imdb.Archive().Fetch(cmd.Context()); err != nil {
				return hint(err, "--data reviews needs no network")
			}
			s.Cached = true
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", s.Name, s.where())
		return err
	}
	var names []string
	for _, s := range sets {
		names = append(names, s.Name)
	}
	return usage("data: %s", unknown("data set", name, names))
}
