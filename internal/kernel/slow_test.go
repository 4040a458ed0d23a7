package kernel
import ("testing";"math")
func TestSlow(t *testing.T){
 for _,f:=range []Func{Tanh,Sigmoid,Exp}{ w:=0.0; at:=float32(0); x:=make([]float32,0,4096); y:=make([]float32,4096)
  flush:=func(){ Apply(f,y[:len(x)],x); for i,v:=range x { u:=ulps(y[i],formulas[f](float64(v))); if !(u<=w){w=u;at=v} }; x=x[:0]}
  lo,hi:=float32(0.003),float32(11); if f==Sigmoid{lo,hi=0.01,106}; if f==Exp {lo,hi=0.01,106}
  for b:=math.Float32bits(lo);b<math.Float32bits(hi);b+=2 { v:=math.Float32frombits(b); x=append(x,v); if f!=Tanh{ x=append(x,-v)}; if len(x)>=4095{flush()} }
  flush(); t.Log(f,w,at) }
}
