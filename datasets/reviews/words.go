package reviews

// The words that mean something, by category. Within a list the first word is the most frequent: word k is drawn 1/k as
// often.

const filmWords = `film movie picture`

// What decides a label. A word of praise and a word of blame at the same place are as frequent as each other.
const goodWords = `good great wonderful excellent brilliant superb beautiful fine perfect charming delightful clever moving gripping
funny lovely fascinating splendid touching impressive marvellous fantastic enjoyable masterful`
const badWords = `bad poor awful terrible boring dreadful ugly weak dull horrible stupid silly lifeless tedious annoying pointless
lame pathetic clumsy disappointing miserable wretched unbearable shallow`
const lovedVerbs = `loved enjoyed admired adored praised treasured cherished applauded savoured recommended`
const hatedVerbs = `hated disliked despised detested regretted loathed resented deplored endured condemned`

// What the digressions are about.
const thingWords = `popcorn hotel dinner coffee weather trailer seat soup train beer garden breakfast poster sandwich taxi bread
bus music car cheese bed room book wine cake pizza play song concert painting menu view service ticket chair carpet
tea lamp stew dog game match radio speech statue parade market story novel magazine bridge pie salad lunch ferry boat
cellar balcony lobby heating curtain programme interview`
const nounWords = `letter map key box door window knife ring photograph diary suitcase lantern rope coat hat boot mirror clock
candle ladder bottle basket hammer shovel bicycle wagon horse violin piano trumpet drum coin crown sword shield rifle
telephone newspaper blanket pillow cup plate spoon kettle stove barrel net anchor oar sail compass telescope globe desk
drawer cupboard shelf easel frame vase flower rose apple pear onion potato carrot egg fish goat sheep cow pig duck goose
rabbit fox wolf bear lion tiger snake eagle owl crow stone brick plank nail wire engine wheel pump pipe tank bucket broom
brush needle thread button scarf glove belt purse wallet passport coupon stamp parcel envelope pencil notebook page poem
promise secret plan debt wedding funeral contract will treaty rumour message warning`
const placeWords = `house harbour village forest castle farm station church school hospital prison library bakery factory mill
tower bridge tunnel island valley desert mountain river lake beach cave mine barn stable inn tavern theatre museum palace temple
garden orchard courtyard attic kitchen cellar office bank shop market square street alley corner lighthouse airport shipyard
laboratory monastery cottage mansion warehouse workshop`
const jobWords = `doctor sailor teacher baker farmer soldier captain lawyer priest painter singer dancer nurse miner butcher tailor
carpenter fisherman hunter shepherd clerk judge detective thief spy pilot driver cook waiter gardener janitor mechanic plumber
electrician engineer chemist professor student writer poet journalist photographer musician drummer actor clown magician boxer
wrestler jockey banker merchant smuggler pirate king queen prince princess duke widow orphan twin stranger neighbour landlord
guard ghost`
const verbWords = `found lost carried stole hid opened followed bought sold painted broke mended watched burned buried dropped
borrowed cleaned moved lifted kicked threw caught pulled pushed wrapped repaired counted measured guarded polished examined
described recognised wanted needed kept held shook touched collected delivered mailed returned chased saved sketched traded
searched noticed mentioned remembered forgot ignored shared washed cooked planted raised`
const goVerbs = `walked went drove ran travelled returned moved sailed rode hurried flew crept marched wandered rushed cycled
hitchhiked`
const plainWords = `old new small large young long short red blue green black white yellow brown grey wooden golden silver heavy
light wet dry cold warm empty full broken quiet loud narrow wide tall round square foreign local distant northern southern
eastern western ancient modern public private secret famous unknown solid faded hidden crooked hollow smooth rough second third
curved patched tiny huge open closed early late rusty dusty muddy frozen painted folded striped leather copper velvet`
const adverbWords = `slowly quickly quietly then later suddenly again often soon finally secretly carefully meanwhile always
sometimes twice once rarely early late nearby upstairs outside abroad alone together`
const relativeWords = `brother sister mother father wife husband uncle aunt cousin friend neighbour boss son daughter grandmother
grandfather nephew niece flatmate colleague`
const timeWords = `yesterday today tonight lately recently afterwards monday tuesday wednesday thursday friday saturday sunday
january february march april may june july august september october november december`
const numberWords = `two three four five six seven eight nine ten twelve twenty thirty forty fifty`
const jobOfFilm = `director writer producer editor composer cameraman`
