package kernel

// applyAVX2 runs f in assembly where it exists and reports whether it did.
func applyAVX2(f Func, dst, x []float32) bool {
	switch f {
	case Tanh:
		tanhAVX2(&dst[0], &x[0], len(dst))
	case Sigmoid:
		sigmoidAVX2(&dst[0], &x[0], len(dst))
	case Silu:
		siluAVX2(&dst[0], &x[0], len(dst))
	case Exp:
		expAVX2(&dst[0], &x[0], len(dst))
	case Elu, Celu:
		eluAVX2(&dst[0], &x[0], len(dst))
	case Selu:
		seluAVX2(&dst[0], &x[0], len(dst))
	case Softplus:
		softplusAVX2(&dst[0], &x[0], len(dst))
	case LogSigmoid:
		logSigmoidAVX2(&dst[0], &x[0], len(dst))
	case Log:
		logAVX2(&dst[0], &x[0], len(dst))
	case Relu:
		reluAVX2(&dst[0], &x[0], len(dst))
	case LeakyRelu:
		leakyReluAVX2(&dst[0], &x[0], len(dst))
	case Relu6:
		relu6AVX2(&dst[0], &x[0], len(dst))
	case HardTanh:
		hardTanhAVX2(&dst[0], &x[0], len(dst))
	case HardSigmoid:
		hardSigmoidAVX2(&dst[0], &x[0], len(dst))
	case HardSigmoidKeras2:
		hardSigmoidKeras2AVX2(&dst[0], &x[0], len(dst))
	case Sqrt:
		sqrtAVX2(&dst[0], &x[0], len(dst))
	case Abs:
		absAVX2(&dst[0], &x[0], len(dst))
	case Square:
		squareAVX2(&dst[0], &x[0], len(dst))
	case HardSilu:
		hardSiluAVX2(&dst[0], &x[0], len(dst))
	case Softsign:
		softsignAVX2(&dst[0], &x[0], len(dst))
	case SoftShrink:
		softShrinkAVX2(&dst[0], &x[0], len(dst))
	case HardShrink:
		hardShrinkAVX2(&dst[0], &x[0], len(dst))
	case SparsePlus:
		sparsePlusAVX2(&dst[0], &x[0], len(dst))
	case SparseSigmoid:
		sparseSigmoidAVX2(&dst[0], &x[0], len(dst))
	case Squareplus:
		squareplusAVX2(&dst[0], &x[0], len(dst))
	case Gelu:
		geluAVX2(&dst[0], &x[0], len(dst))
	case Mish:
		mishAVX2(&dst[0], &x[0], len(dst))
	default:
		return false
	}
	return true
}

// applyGradAVX2 runs the derivative of f in assembly where it exists and reports whether it did.
func applyGradAVX2(f Func, dst, dy, x, y []float32) bool {
	switch f {
	case Tanh:
		tanhGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Sigmoid:
		sigmoidGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case HardSigmoid:
		hardSigmoidGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case HardSigmoidKeras2:
		hardSigmoidKeras2GradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Elu, Celu:
		eluGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Selu:
		seluGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Exp:
		expGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Softplus:
		softplusGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case LogSigmoid:
		logSigmoidGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Relu:
		reluGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case LeakyRelu:
		leakyReluGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Relu6:
		relu6GradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Sqrt:
		sqrtGradAVX2(&dst[0], &dy[0], &y[0], len(dst))
	case Silu:
		siluGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case HardTanh:
		hardTanhGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Log:
		logGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Abs:
		absGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Square:
		squareGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case HardSilu:
		hardSiluGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Softsign:
		softsignGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case SoftShrink:
		softShrinkGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case HardShrink:
		hardShrinkGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case SparsePlus:
		sparsePlusGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case SparseSigmoid:
		sparseSigmoidGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Squareplus:
		squareplusGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Gelu:
		geluGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	case Mish:
		mishGradAVX2(&dst[0], &dy[0], &x[0], len(dst))
	default:
		return false
	}
	return true
}
