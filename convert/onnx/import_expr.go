package onnx

type expr struct{}
