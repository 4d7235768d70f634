### The window's messages for visitors, in English: the source of every key and its variables.
### Readers stand two metres away and have never seen this program.

language-name = English
languages = Language
demo = Demo: a simulated service

## Before the first snapshot

waking-title = One moment.
waking-line = The stage is being set.
lost-retry = Try again

## Attract

attract-title = Meet yourself.
attract-line = Scan a code, record your face with your phone, and watch it come alive here.
attract-start = Start
# $device: the input device used last
attract-any =
    { $device ->
        [gamepad] or press any button
        [keyboard] or press any key
        [touch] or touch anywhere
       *[pointer] or click anywhere
    }

## While no visit can start

# $device: the input device used last; with a mouse, there may or may not be a keyboard
closed-staff =
    { $device ->
        [gamepad] For the staff: hold Start and Select to open the settings.
        [keyboard] For the staff: F10 opens the settings.
        [touch] For the staff: five touches in the upper left corner open the settings.
       *[pointer] For the staff: F10, or five touches in the upper left corner, opens the settings.
    }

## The operator's consent text

consent-title = Before we begin.
consent-agree = I agree
consent-not-now = Not now

## The QR code

preparing-title = One moment.
preparing-line = We are getting a code that is yours alone.
invite-title = Scan with your phone.
invite-demo-title = Try it without a phone.
invite-step-1 = Point your phone’s camera at the code.
invite-step-2 = Record your face, or pick an avatar you have.
invite-step-3 = Look up here and watch it come alive.
invite-qr = The code to scan with your phone
invite-no-camera = No camera? Open this on your phone:
# $clock: minutes and seconds, as in 4:05
invite-time-left = This code works for another { $clock }
invite-expired-title = This code has run out.
invite-expired-line = Nothing is lost. A new one takes a second.
invite-new-code = New code
invite-play-phone = Simulate the phone
invite-phones-cannot = No phone can reach this demo yet. Simulate one on this screen instead.
invite-phones-can = Phones on this network reach the demo at { $address }.

## The avatar is being made

making-found-title = Found you!
making-found-line = Your phone is connected. Look up here.
making-found = Connected
making-queue-title = You are in line.
making-queue-line = Your recording has arrived. Please stay here.
making-queue-next = You are next.
# $place: a number, set large
making-queue-place = Number { $place } in line
making-processing-title = Shaping your avatar.
making-processing-line = Every part of your face is being sculpted.
making-processing-done = done
making-failed-title = That recording did not work out.
making-failed-line = It happens. Scan the code to record once more: face the light and hold still.
making-failed-line-demo = It happens. Simulate the phone once more to record again.
making-unknown-title = Your avatar is on its way.
# $status: a status of the service, not translated
making-unknown-line = The studio says: “{ $status }”.
# $time: a range of seconds or minutes with its unit
making-left = About { $time } to go
making-left-soon = Only a few seconds to go
making-turn = Your turn in about { $time }
making-turn-soon = Your turn in a moment
making-stalled = Taking longer than usual. Still working.
making-queue-stalled = The line is standing still for a moment. Your place is safe.

## The files are being downloaded

saving-title = Bringing it home.
saving-line = Your avatar is ready. Its files are coming to this screen.
saving-all = All files
saving-so-far = { $amount } so far
saving-of-all = { $amount } of { $all }
saving-whole = { $amount } saved
saving-left-open = Working out the time left…
saving-more =
    { $count ->
        [one] and one more file
       *[other] and { $count } more files
    }
saving-stalled = The connection is slow right now. It goes on by itself.

## Before an avatar whose visitor may have left

gate-title = Your avatar is ready.
gate-line = If it is yours, have a look. It stays hidden until then.
gate-show = Show me
gate-not-mine = Not mine

## The avatar

reveal-title = Here you are.
reveal-title-portrait = Your portrait.
reveal-title-card = Your avatar is saved.
reveal-turn =
    { $device ->
        [gamepad] Turn it with the right stick.
        [keyboard] Turn it with Shift and the arrow keys.
        [touch] Swipe to turn it.
       *[pointer] Drag to turn it.
    }
reveal-lighting = Lighting the stage…
reveal-canvas = Your avatar, turning in the light
reveal-portrait = The portrait of your avatar
reveal-me = This is me
reveal-again = Make another
reveal-faces = Make a face
reveal-welcome-title = Nice to meet you.
reveal-welcome-line = Your avatar is saved. This is where a game begins, with you in it.
# When the files are deleted on leaving
reveal-welcome-line-unsaved = This is where a game begins, with you in it.
reveal-finish = Finish
face-smile = Smile
face-wink = Wink
face-surprise = Surprise
face-kiss = Kiss
face-frown = Scowl

## Retention and deletion

keep-for-ever = Your avatar stays saved on this console.
keep-while-here = Deleted from this console when you leave.
# On the reveal, next to the buttons “Finish” and “Make another”
keep-until-finished = Deleted from this console when you finish or make another.
keep-hours =
    { $count ->
        [one] Deleted from this console after one hour.
       *[other] Deleted from this console after { $count } hours.
    }
keep-days =
    { $count ->
        [one] Deleted from this console after one day.
       *[other] Deleted from this console after { $count } days.
    }
forget-me = Forget me
forget-title = Forget you?
forget-ask = The files and the history of this visit are deleted from this console. This cannot be undone.
forget-keep = Keep it
forget-yes = Yes, forget me
forgetting-title = Forgetting you…
forgetting-line = The files and the history of this visit are being deleted.
forgotten-title = Forgotten.
forgotten-line = Nothing of you is left here.
forget-failed-title = Not everything could be deleted.
forget-failed-line = Please tell the staff: they can delete the rest.

## The end without an avatar

ended-detail = For the staff
ended-again = Back to the start

## Leaving, and the idle warning

leave-back = Back
leave-title = Leave now?
leave-ask = Your avatar will not be shown here again.
# While the avatar is made or downloaded; the retention sentence follows
leave-ask-making = Your avatar will still be finished, but not shown here again.
# After a failed recording, while its code is still valid
leave-ask-failed = This code will stop working.
leave-stay = Stay
leave-leave = Leave
leave-delete = Leave and delete
idle-title = Still there?
# $seconds: seconds left, a number
idle-line =
    { $seconds ->
        [one] This screen clears in one second, for whoever comes next.
       *[other] This screen clears in { $seconds } seconds, for whoever comes next.
    }
# When the files are deleted on leaving
idle-line-unsaved =
    { $seconds ->
        [one] This screen clears in one second, and your avatar is deleted.
       *[other] This screen clears in { $seconds } seconds, and your avatar is deleted.
    }
idle-stay = I am here
idle-leave = Clear it now
idle-spoken = Are you still there? This screen is about to be cleared for the next person.
idle-spoken-unsaved = Are you still there? This screen is about to be cleared, and your avatar deleted.

## Labels of the key and button hints

hint-choose = choose
hint-back = back
hint-language = language

## Problems by their code; `.do` says what to do

problem-saved = Your avatar is here.
    .do = Have a look.
problem-saved-in-part = Part of your avatar did not arrive.
    .do = Start again with a new code to get all of it.
problem-credentials-refused = This console is not set up yet.
    .do = Please tell the staff.
problem-credentials-missing = This console is not set up yet.
    .do = Please tell the staff.
problem-token-refused = This code did not work.
    .do = Let’s try a new one.
problem-token-expired = This code has run out.
    .do = A new one takes a second.
problem-avatar-failed = Your avatar did not work out this time.
    .do = Even light on your face helps. Try once more.
problem-backend-unreachable = We cannot reach the avatar studio right now.
    .do = Give it a moment. If it stays like this, please tell the staff.
problem-answer-lost = The connection dropped.
    .do = We are trying again.
problem-download-interrupted = The download paused.
    .do = Your avatar is kept. It comes as soon as the connection is back.
problem-backend-busy = The avatar studio is busy.
    .do = Just a moment.
problem-backend-failing = The avatar studio has a problem right now.
    .do = Give it a moment. If it stays like this, please tell the staff.
problem-gate = This network does not let us through to the avatar studio.
    .do = Please tell the staff.
problem-no-api = This console is not set up yet.
    .do = Please tell the staff.
problem-protocol-broken = The avatar studio gave an answer we do not understand.
    .do = Please tell the staff.
problem-possibly-consumed = The connection dropped at the wrong moment.
    .do = Please start again with a new code.
problem-timed-out = Time ran out before your avatar came.
    .do = A new code starts it over.
problem-storage-failed = This console cannot save anything right now.
    .do = Please tell the staff.
problem-disk-full = This console has no room left.
    .do = Please tell the staff.
problem-token-abandoned = This code is too old.
    .do = A new one takes a second.
problem-forget-incomplete = Not everything could be removed.
    .do = Please tell the staff.
problem-interrupted = See you!
    .do = Start again whenever you like.
problem-configuration = This console is not set up yet.
    .do = Please tell the staff.
problem-window-lost = Something is stuck.
    .do = Try again, or tell the staff.
problem-window-refused = That did not work.
    .do = Please try once more.
