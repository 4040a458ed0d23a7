package metrics

// Direction says which way a metric is better.
type Direction int

// The directions.
const (
	Unknown Direction = iota // Keras does not say either
	Down                     // the smaller the better
	Up                       // the larger the better
)

// DirectionOf is which way Keras 3.15.1 takes a metric to be better.
func DirectionOf(m Metric) Direction {
	switch m.(type) {
	case TruePositives, FalsePositives, TrueNegatives, FalseNegatives:
		return Unknown
	case LossMean, MeanAbsoluteError, MeanSquaredError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, LogCoshError, KLDivergence, Poisson,
		Hinge, SquaredHinge, CategoricalHinge, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, RootMeanSquaredError:
		return Down
	}
	return Up
}
