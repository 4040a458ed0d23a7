package kernel

// applyAVX512 runs f in assembly where it exists and reports whether it did.
func applyAVX512(f Func, dst, x []float32) bool {
	switch f {
	case Tanh:
		tanhAVX512(&dst[0], &x[0], len(dst))
	case Sigmoid:
		sigmoidAVX512(&dst[0], &x[0], len(dst))
	case Silu:
		siluAVX512(&dst[0], &x[0], len(dst))
	case Gelu:
		geluAVX512(&dst[0], &x[0], len(dst))
	case Mish:
		mishAVX512(&dst[0], &x[0], len(dst))
	case Exp:
		expAVX512(&dst[0], &x[0], len(dst))
	case Elu, Celu:
		eluAVX512(&dst[0], &x[0], len(dst))
	case Selu:
		seluAVX512(&dst[0], &x[0], len(dst))
	case Softplus:
		softplusAVX512(&dst[0], &x[0], len(dst))
	case LogSigmoid:
		logSigmoidAVX512(&dst[0], &x[0], len(dst))
	case Log:
		logAVX512(&dst[0], &x[0], len(dst))
	case Relu:
		reluAVX512(&dst[0], &x[0], len(dst))
	case LeakyRelu:
		leakyReluAVX512(&dst[0], &x[0], len(dst))
	case Relu6:
		relu6AVX512(&dst[0], &x[0], len(dst))
	case HardTanh:
		hardTanhAVX512(&dst[0], &x[0], len(dst))
	case HardSigmoid:
		hardSigmoidAVX512(&dst[0], &x[0], len(dst))
	case HardSigmoidKeras2:
		hardSigmoidKeras2AVX512(&dst[0], &x[0], len(dst))
	case Sqrt:
		sqrtAVX512(&dst[0], &x[0], len(dst))
	case Abs:
		absAVX512(&dst[0], &x[0], len(dst))
	case Square:
		squareAVX512(&dst[0], &x[0], len(dst))
	case HardSilu:
		hardSiluAVX512(&dst[0], &x[0], len(dst))
	case Softsign:
		softsignAVX512(&dst[0], &x[0], len(dst))
	case SoftShrink:
		softShrinkAVX512(&dst[0], &x[0], len(dst))
	case HardShrink:
		hardShrinkAVX512(&dst[0], &x[0], len(dst))
	case SparsePlus:
		sparsePlusAVX512(&dst[0], &x[0], len(dst))
	case SparseSigmoid:
		sparseSigmoidAVX512(&dst[0], &x[0], len(dst))
	default:
		return false
	}
	return true
}

// applyGradAVX512 runs the derivative of f in assembly where it exists and reports whether it did.
func applyGradAVX512(f Func, dst, dy, x, y []float32) bool {
	switch f {
	case Tanh:
		tanhGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Sigmoid:
		sigmoidGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case HardSigmoid:
		hardSigmoidGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case HardSigmoidKeras2:
		hardSigmoidKeras2GradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Elu, Celu:
		eluGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Selu:
		seluGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Exp:
		expGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Softplus:
		softplusGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case LogSigmoid:
		logSigmoidGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case Relu:
		reluGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case LeakyRelu:
		leakyReluGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Relu6:
		relu6GradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Sqrt:
		sqrtGradAVX512(&dst[0], &dy[0], &y[0], len(dst))
	case Silu:
		siluGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case Gelu:
		geluGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case Mish:
		mishGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case HardTanh:
		hardTanhGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case Log:
		logGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case Abs:
		absGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case Square:
		squareGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case HardSilu:
		hardSiluGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case Softsign:
		softsignGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case SoftShrink:
		softShrinkGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case HardShrink:
		hardShrinkGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case SparsePlus:
		sparsePlusGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	case SparseSigmoid:
		sparseSigmoidGradAVX512(&dst[0], &dy[0], &x[0], len(dst))
	default:
		return false
	}
	return true
}
