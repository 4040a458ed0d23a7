package unroll

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/activations"
	"github.com/unroll-ml/unroll/layers"
	"github.com/unroll-ml/unroll/losses"
	"github.com/unroll-ml/unroll/optimizers"
	"github.com/unroll-ml/unroll/tensor"
)

// benched is a model of an embedding and these layers, or of floats where mask is nil.
func benched(t *testing.T, mask *bool, stack ...layers.Spec) *Model {
	t.Helper()
	specs := []layers.Spec{layers.Input{Shape: tensor.Shape{tensor.None, 3}}}
	if mask != nil {
		specs = []layers.Spec{layers.Embedding{InputDim: 20, OutputDim: 7, MaskZero: *mask}}
	}
	m, err := Sequential(append(append(specs, stack...), layers.Dense{Units: 1, Activation: activations.Sigmoid})...)
	if err != nil {
		t.Fatal(err)
	}
	if m.front != nil {
		m.front.wordsFrom = 0
	}
	return m
}

// What Paths says is what the model does: every reason in words stands for a front that is not there, or for a saving that it
// cannot take.
func TestPaths(t *testing.T) {
	no, yes := false, true
	for _, c := range []struct {
		name  string
		model *Model
		off   []Saving
		want  []map[Saving]string // by recurrent layer: a part of the reason; no entry where the saving is on
	}{
		{"lecture", benched(t, &no, layers.SimpleRNN{Units: 5}), nil, []map[Saving]string{{SavingActive: "no mask_zero"}}},
		{"masked", benched(t, &yes, layers.LSTM{Units: 5}), nil, []map[Saving]string{{SavingPrefix: "mask_zero"}}},
		{"stack", benched(t, &no, layers.GRU{Units: 5, ReturnSequences: true}, layers.LSTM{Units: 4}), nil,
			[]map[Saving]string{{SavingActive: "no mask_zero"}, {SavingActive: "no mask_zero", SavingRows: "what gru computes"}}},
		{"switched", benched(t, &no, layers.SimpleRNN{Units: 5}), []Saving{SavingRows, SavingPrefix},
			[]map[Saving]string{{SavingRows: "switched off", SavingPrefix: "switched off", SavingActive: "no mask_zero"}}},
		{"all off", benched(t, &yes, layers.SimpleRNN{Units: 5}), Savings(), []map[Saving]string{everything("switched off")}},
		{"floats", benched(t, nil, layers.SimpleRNN{Units: 5}), nil, []map[Saving]string{everything("does not begin with an embedding")}},
		{"dense between", benched(t, &no, layers.Dense{Units: 4}, layers.SimpleRNN{Units: 5}), nil,
			[]map[Saving]string{everything("dense (Dense) stands between")}},
		{"dropout between", benched(t, &no, layers.Dropout{Rate: 0.1}, layers.GRU{Units: 5, ReturnSequences: true}, layers.Dropout{Rate: 0.1},
			layers.SimpleRNN{Units: 5}), nil,
			[]map[Saving]string{{SavingActive: "no mask_zero"}, {SavingActive: "no mask_zero", SavingRows: "what gru computes"}}},
		{"dropout inside", benched(t, &no, layers.LSTM{Units: 5, Dropout: 0.1}), nil, []map[Saving]string{{SavingActive: "no mask_zero"}}},
		{"both ways", benched(t, &no, layers.Bidirectional{Layer: layers.LSTM{Units: 5}}), nil, []map[Saving]string{{SavingActive: "no mask_zero"}}},
		{"both ways, masked", benched(t, &yes, layers.Bidirectional{Layer: layers.LSTM{Units: 5}}), nil, []map[Saving]string{{SavingPrefix: "mask_zero"}}},
		{"both ways, sequences", benched(t, &yes, layers.Bidirectional{Layer: layers.LSTM{Units: 5, ReturnSequences: true}}, layers.LSTM{Units: 5}), nil,
			[]map[Saving]string{everything("bidirectional goes both ways (Bidirectional) and returns"), everything("bidirectional goes both ways")}},
		{"both ways behind", benched(t, &no, layers.LSTM{Units: 5, ReturnSequences: true}, layers.Bidirectional{Layer: layers.LSTM{Units: 5}}), nil,
			[]map[Saving]string{everything("bidirectional goes both ways (Bidirectional) behind"), everything("behind another")}},
		{"backwards", benched(t, &no, layers.GRU{Units: 5, GoBackwards: true}), nil, []map[Saving]string{{SavingActive: "no mask_zero"}}},
		{"backwards, sequences", benched(t, &no, layers.GRU{Units: 5, GoBackwards: true, ReturnSequences: true}, layers.GRU{Units: 5}), nil,
			[]map[Saving]string{everything("gru goes backwards (go_backwards) and returns"), everything("gru goes backwards")}},
		{"zeros", benched(t, &yes, layers.Recurrent{Units: 4, ZeroOutputForMask: true, Cell: "output_t = tanh(dot(input_t, W) + dot(state_t, U))"}), nil,
			[]map[Saving]string{everything("writes zeros")}},
		{"sequences", benched(t, &no, layers.SimpleRNN{Units: 5, ReturnSequences: true}), nil, []map[Saving]string{everything("dense (Dense) stands between")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.model.Without(c.off...); err != nil {
				t.Fatal(err)
			}
			paths := slices.DeleteFunc(c.model.Paths(), func(p Path) bool { return p.Class == "Embedding" })
			if len(paths) != len(c.want) {
				t.Fatalf("%d recurrent layers, want %d", len(paths), len(c.want))
			}
			for i, p := range paths {
				if drops := strings.HasPrefix(c.name, "dropout"); drops != strings.HasSuffix(p.Plain, " drops values") {
					t.Errorf("%s: training is plain because %q", p.Layer, p.Plain)
				}
				for _, s := range recurrentSavings() {
					why, off := p.Off[s]
					want, wantOff := c.want[i][s]
					if off != wantOff || !strings.Contains(why, want) || off == slices.Contains(p.On, s) {
						t.Errorf("%s: %s: off %v, %q, on %v; want off %v because %q", p.Layer, s, off, why, p.On, wantOff, want)
					}
				}
			}
			if why := c.model.noFront; (why == "") != (c.model.front != nil) {
				t.Errorf("front %v, but %q", c.model.front != nil, why)
			}
		})
	}
	if err := (&Model{}).Without(); err == nil {
		t.Error("a model that is not built was switched")
	}
	if err := benched(t, &no, layers.LSTM{Units: 2}).Without("time"); err == nil || !strings.Contains(err.Error(), `got "time"`) {
		t.Errorf("a saving that there is not: %v", err)
	}
}

func recurrentSavings() []Saving { return []Saving{SavingRows, SavingPrefix, SavingActive} }

// What Paths says of an embedding is what touch does.
func TestPathsOfTables(t *testing.T) {
	no := false
	for _, c := range []struct {
		opt    optimizers.Optimizer
		off    []Saving
		frozen bool
		want   string
	}{
		{optimizers.RMSprop{}, nil, false, ""},
		{optimizers.SGD{}, []Saving{SavingRows}, false, ""},
		{optimizers.SGD{}, []Saving{SavingTouched}, false, "switched off"},
		{optimizers.SGD{}, nil, true, "not trained"},
		{optimizers.SGD{Momentum: 0.9}, nil, false, "SGD, as it is set"},
		{optimizers.RMSprop{Momentum: 0.9}, nil, false, "RMSprop, as it is set"},
		{optimizers.RMSprop{Centered: true}, nil, false, "RMSprop, as it is set"},
		{optimizers.RMSprop{WeightDecay: tensor.F(0.1)}, nil, false, "RMSprop, as it is set"},
		{optimizers.RMSprop{Epsilon: tensor.F(0)}, nil, false, "RMSprop, as it is set"},
		{optimizers.Adam{}, nil, false, "Adam, as it is set"},
		{nil, nil, false, "not compiled"},
	} {
		m := benched(t, &no, layers.SimpleRNN{Units: 3})
		if err := m.Without(c.off...); err != nil {
			t.Fatal(err)
		}
		m.weights[0].Trainable = !c.frozen
		if c.opt != nil {
			if err := m.Compile(c.opt, losses.BinaryCrossentropy{}); err != nil {
				t.Fatal(err)
			}
		}
		p := m.Paths()[0]
		why, off := p.Off[SavingTouched]
		if p.Class != "Embedding" || off != (c.want != "") || !strings.Contains(why, c.want) || off == slices.Contains(p.On, SavingTouched) {
			t.Errorf("%T %+v: %+v, want %q", c.opt, c.opt, p, c.want)
		}
		if c.opt == nil || c.frozen {
			continue
		}
		m.compiled.start(m)
		if touched := m.compiled.touch(m.weights[0], m.savings.touched, 0.1) != nil; touched == off {
			t.Errorf("%T %+v: off %v, but touched %v", c.opt, c.opt, off, touched)
		}
	}
	// A front that goes by words where it never pays.
	m := benched(t, &no, layers.SimpleRNN{Units: 3})
	m.front.weigh()
	if why := m.Paths()[1].Off[SavingRows]; !strings.Contains(why, "takes longer") {
		t.Errorf("3 units: %q", why)
	}
}

func everything(why string) map[Saving]string {
	return map[Saving]string{SavingRows: why, SavingPrefix: why, SavingActive: why}
}

// A front whose last walk is missing: the sequences go to the end of the model.
func TestPathsWithoutLast(t *testing.T) {
	m, err := Sequential(layers.Embedding{InputDim: 20, OutputDim: 7}, layers.SimpleRNN{Units: 5, ReturnSequences: true})
	if err != nil {
		t.Fatal(err)
	}
	if m.front != nil || !strings.Contains(m.noFront, "return_sequences") {
		t.Errorf("front %v: %q", m.front != nil, m.noFront)
	}
}

// Without, through the public door: predictions to the bit, training up to the order of sums.
func TestWithout(t *testing.T) {
	no, data := false, frontData(t, "front", 40, 9)
	run := func(off ...Saving) (before, after []float32) {
		m := benched(t, &no, layers.LSTM{Units: 6})
		if err := m.Without(off...); err != nil {
			t.Fatal(err)
		}
		if err := m.Compile(optimizers.RMSprop{}, losses.BinaryCrossentropy{}); err != nil {
			t.Fatal(err)
		}
		for _, out := range []*[]float32{&before, &after} {
			p, err := m.Predict(context.Background(), data)
			if err != nil {
				t.Fatal(err)
			}
			*out = p.Data
			if _, err := m.Fit(context.Background(), data, BatchSize(20)); err != nil {
				t.Fatal(err)
			}
		}
		return before, after
	}
	want, wantAfter := run(Savings()...)
	for _, off := range append(Savings(), "") {
		var got, gotAfter []float32
		if off == "" {
			got, gotAfter = run()
		} else {
			got, gotAfter = run(off)
		}
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("without %q: prediction %d is %v, the plain way %v", off, i, got[i], want[i])
			}
			if err := math.Abs(float64(gotAfter[i] - wantAfter[i])); !(err <= 1e-5) {
				t.Fatalf("without %q: trained prediction %d is %v, the plain way %v", off, i, gotAfter[i], wantAfter[i])
			}
		}
	}
}

// Work counts by hand: two of three rows begin with padding, which is walked once where nothing is masked.
func TestWork(t *testing.T) {
	x := &tensor.IDs{Shape: tensor.Shape{3, 4}, Data: []int32{0, 0, 5, 6, 0, 5, 5, 6, 7, 5, 6, 8}}
	data, err := Arrays(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	no, yes := false, true
	for _, c := range []struct {
		mask *bool
		both bool
		off  []Saving
		want Work
	}{
		{&no, false, nil, Work{Steps: 4, Positions: 12, Walked: 11, Prefix: 2, Inputs: 5}},
		{&no, false, []Saving{SavingRows}, Work{Steps: 4, Positions: 12, Walked: 11, Prefix: 2, Inputs: 11}},
		{&no, false, []Saving{SavingPrefix}, Work{Steps: 4, Positions: 12, Walked: 12, Inputs: 5}},
		{&yes, false, nil, Work{Steps: 4, Positions: 12, Walked: 9, Inputs: 5}},
		{&yes, false, Savings(), Work{Steps: 4, Positions: 12, Walked: 12, Inputs: 12}},
		{&no, true, nil, Work{Steps: 4, Positions: 24, Walked: 23, Prefix: 2, Inputs: 10}},
		{&yes, true, nil, Work{Steps: 4, Positions: 24, Walked: 18, Inputs: 10}},
		{&yes, true, Savings(), Work{Steps: 4, Positions: 24, Walked: 24, Inputs: 24}},
	} {
		var l layers.Spec = layers.SimpleRNN{Units: 3}
		if c.both {
			l = layers.Bidirectional{Layer: l}
		}
		m := benched(t, c.mask, l)
		if err := m.Without(c.off...); err != nil {
			t.Fatal(err)
		}
		got, err := m.Work(data, []int{0, 1, 2})
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("mask %v without %v: %+v, want %+v", *c.mask, c.off, got, c.want)
		}
	}
}

// Products of the lecture's model: three for the kernel and three for the recurrent kernel at every step, three for the Dense.
func TestProducts(t *testing.T) {
	no := false
	if got, want := benched(t, &no, layers.GRU{Units: 5}).Products(9), 6.0*(9*(7*15+5*15)+5); got != want {
		t.Errorf("GRU after an embedding: %v, want %v", got, want)
	}
	if got, want := benched(t, nil, layers.SimpleRNN{Units: 5}).Products(9), 2.0*(9*(2*3*5+3*5*5)+3*5); got != want {
		t.Errorf("SimpleRNN on floats: %v, want %v", got, want)
	}
}
