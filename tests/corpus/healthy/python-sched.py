# corpus: healthy
# what: the scheduler of the standard library waits for its next event
# run: /usr/bin/python3 {file}
# needs: python3

import sched

timetable = sched.scheduler()
timetable.enter(1000, 1, print)
open("up", "w").close()
timetable.run()
