package unroll

import (
	"encoding/json"
	"math"
	"testing"
)

func TestHistoryJSON(t *testing.T) {
	h := &History{}
	h.add(0, Logs{{"loss", 0.5}, {"acc", 0.75}, {"val_loss", math.NaN()}})
	h.add(1, Logs{{"loss", math.Inf(1)}, {"acc", 1}, {"val_loss", 0.25}})
	got, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"loss":[0.5,null],"acc":[0.75,1],"val_loss":[null,0.25]}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var back History
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if keys := back.Keys(); len(keys) != 3 || keys[0] != "loss" || keys[2] != "val_loss" || len(back.Epoch) != 2 {
		t.Errorf("read back %v with %d epochs", keys, len(back.Epoch))
	}
	if v := back.Values("val_loss"); !math.IsNaN(v[0]) || v[1] != 0.25 {
		t.Errorf("val_loss read back as %v", v)
	}
	for _, bad := range []string{`[]`, `{"loss":1}`, `{"loss":["a"]}`, `{"loss":`, ``} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read as a history", bad)
		}
	}
}
