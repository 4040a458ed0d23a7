package initializers

import (
	"strings"

	"github.com/unroll-ml/unroll/internal/keras"
	"github.com/unroll-ml/unroll/tensor"
)

// classes are the initializers that FromConfig makes.
func classes() []string {
	return []string{"Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal", "LecunUniform",
		"Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros"}
}

// canonical is Keras's class for any of its names (the class, its snake case, an old name), or "".
func canonical(name string) string {
	switch name {
	case "normal":
		return "RandomNormal"
	case "uniform":
		return "RandomUniform"
	case "one":
		return "Ones"
	case "zero":
		return "Zeros"
	case "IdentityInitializer":
		return "Identity"
	case "OrthogonalInitializer":
		return "Orthogonal"
	}
	for _, c := range classes() {
		if name == c || name == keras.Snake(c) {
			return c
		}
	}
	return ""
}

// Object is the initializer as a `.keras` file has it; nil gives nil, which is written as null.
func Object(i Initializer) *keras.Object {
	if i == nil {
		return nil
	}
	return &keras.Object{Module: "keras.initializers", Class: i.Class(), Config: i.Config()}
}

// ByName is the initializer of that name with its defaults: "glorot_uniform", "GlorotUniform", "uniform".
func ByName(name string) (Initializer, error) { return FromConfig(name, name, nil) }

// FromConfig is the initializer of a Keras class and its config; a nil config is every default. path is where it stands in its file
// and begins the error.
func FromConfig(path, class string, config map[string]any) (Initializer, error) {
	r := keras.Read(path, config)
	// Keras 2 wrote a dtype, Keras 3.15 writes axes that only its einsum layers set.
	r.Ignore("dtype")
	var i Initializer
	switch canonical(class) {
	case "Zeros":
		i = Zeros{}
	case "Ones":
		i = Ones{}
	case "Constant":
		i = Constant{r.Float("value", 0)}
	case "Identity":
		i = Identity{number(r, "gain")}
	case "RandomUniform":
		i = RandomUniform{number(r, "minval"), number(r, "maxval"), seed(r)}
	case "RandomNormal":
		i = RandomNormal{r.Float("mean", 0), number(r, "stddev"), seed(r)}
	case "TruncatedNormal":
		i = TruncatedNormal{r.Float("mean", 0), number(r, "stddev"), seed(r)}
	case "Orthogonal":
		i = Orthogonal{number(r, "gain"), seed(r)}
	case "VarianceScaling":
		i = VarianceScaling{number(r, "scale"), mode(r), distribution(r), seed(r)}
		axes(r)
	case "GlorotUniform":
		i = GlorotUniform{seed(r)}
		axes(r)
	case "GlorotNormal":
		i = GlorotNormal{seed(r)}
		axes(r)
	case "HeUniform":
		i = HeUniform{seed(r)}
		axes(r)
	case "HeNormal":
		i = HeNormal{seed(r)}
		axes(r)
	case "LecunUniform":
		i = LecunUniform{seed(r)}
		axes(r)
	case "LecunNormal":
		i = LecunNormal{seed(r)}
		axes(r)
	default:
		var known []string
		for _, c := range classes() {
			known = append(known, keras.Snake(c))
		}
		return nil, keras.Unknown("initializers", "an initializer", class, known)
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	return i, nil
}

// number is unset where the config has nothing.
func number(r *keras.Reader, key string) tensor.Float {
	if r.Null(key) {
		return tensor.Float{}
	}
	return tensor.F(r.Float(key))
}

// seed is a number, null, or a serialized SeedGenerator, which has one.
func seed(r *keras.Reader) tensor.Float {
	if r.Null("seed") {
		return tensor.Float{}
	}
	if _, ok := r.Value("seed").(map[string]any); ok {
		o := r.Object("seed")
		if o == nil {
			return tensor.Float{}
		}
		g := keras.Read(r.Path("seed"), o.Config)
		v := seed(g)
		if g.Err() != nil {
			r.Fail("seed", "a whole number from 0 to 2^53")
		}
		return v
	}
	v := r.Uint64("seed")
	if v > maxSeed {
		r.Fail("seed", "a whole number from 0 to 2^53")
	}
	return tensor.F(float64(v))
}

func mode(r *keras.Reader) Fan {
	m := Fan(r.String("mode", string(FanIn)))
	if m != FanIn && m != FanOut && m != FanAvg {
		r.Fail("mode", "fan_in, fan_out or fan_avg")
	}
	return m
}

func distribution(r *keras.Reader) Distribution {
	d := Distribution(strings.ToLower(r.String("distribution", string(TruncatedGaussian))))
	switch d {
	case "normal":
		return TruncatedGaussian
	case TruncatedGaussian, UntruncatedGaussian, Uniform:
	default:
		r.Fail("distribution", "truncated_normal, untruncated_normal or uniform")
	}
	return d
}

// axes accepts the keys of Keras 3.15 that name the fans' axes as long as they say nothing. They are not written: earlier versions of
// Keras 3 refuse a file that has them.
func axes(r *keras.Reader) {
	r.Only("input_axes", nil)
	r.Only("output_axes", nil)
}
