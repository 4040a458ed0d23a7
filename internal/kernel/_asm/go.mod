module github.com/unroll-ml/unroll/internal/kernel/_asm

go 1.26.0

require github.com/mmcloughlin/avo v0.5.0

require (
	golang.org/x/mod v0.41.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/tools v0.51.0 // indirect
)

require github.com/unroll-ml/unroll v0.0.0

replace github.com/unroll-ml/unroll => ../../..
