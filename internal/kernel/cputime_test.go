package kernel
import ("testing";"runtime";"golang.org/x/sys/unix";"fmt")
func cput(reps int, f func()) float64 { runtime.LockOSThread(); defer runtime.UnlockOSThread(); best:=1e18
 for range 40 { var a,b unix.Timespec; unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID,&a); for range reps {f()}; unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID,&b); d:=float64(b.Nano()-a.Nano())/float64(reps); best=min(best,d)}
 return best }
func TestCPU(t *testing.T){
 {k:=256; a, x, dst := make([]float32, 6*k), make([]float32, k*16), make([]float32, 6*16); var p Packed; p.Pack(x,16,k,16)
 d:=cput(1000,func(){MatMul(dst,16,a,k,&p,6)}); fmt.Printf("peak-ish %.1f\n",2*6*float64(k)*16/d)}
 for _,s:=range append([][3]int{},[3]int{128,512,512},[3]int{32,32,32},[3]int{8,32,32},[3]int{8,32,128}) { n,k,m:=s[0],s[1],s[2]; a, x, dst := make([]float32, n*k), make([]float32, k*m), make([]float32, n*m); var p Packed; p.Pack(x,m,k,m)
  fl:=2*float64(n*k*m); d:=cput(max(1,int(3e6/fl)),func(){MatMul(dst,m,a,k,&p,n)}); fmt.Printf("mm %v %.0f ns %.1f\n",s,d,fl/d)}
 for _,s:=range [][3]int{{16, 32, 32}, {128,32,32},{8000, 32, 32}, {8000, 32, 128}, {128, 32, 1}, {2000, 512, 2048}, {512, 512, 512},{1000,128,512},{1000,64,64},{1000,1000,1000}} { n,k,m:=s[0],s[1],s[2]; a, d_, dst := make([]float32, n*k), make([]float32, n*m), make([]float32, k*m)
  fl:=2*float64(n*k*m); d:=cput(max(1,int(3e6/fl)),func(){Outer(dst,m,a,k,k,d_,m,m,n)}); fmt.Printf("outer %v %.0f ns %.1f\n",s,d,fl/d)}
 x:=make([]float32,512); y:=make([]float32,512); randomize(newRand(1),x,false)
 for _,f:=range []Func{Tanh,Sigmoid,Exp,Silu,Gelu}{ d:=cput(300,func(){Apply(f,y,x)}); fmt.Printf("%v %.3f ns/value\n",f,d/512)}
}
