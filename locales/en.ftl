### The window's messages for visitors, in English: the source of every key and its variables.
### Readers stand two metres away and have never seen this program.

language-name = English
languages = Language
demo = DEMO
# The steps of a visit, in few letters
steps = Steps
step-scan = Scan
step-shape = Shape
step-meet = Meet

## Before the first snapshot

waking-title = One moment.
waking-line = We’re setting the stage.
lost-retry = Try again

## Attract

attract-title = Meet yourself.
attract-line = Scan a code, record your face with your phone, and meet your avatar here.
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

# $when: day and time of the next opening
closed-until = Open again: { $when }
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
# A button at the end of a text that goes on below
consent-more = Read on
consent-not-now = Not now
# After a symbol that points down, to the answers
consent-onward = then choose
# When the operator has written no text in the visitor’s language. $language: the name of the one that is shown
consent-other-language = We don’t have this text in English, so here it is in { $language }.

## The QR code

preparing-title = One moment.
preparing-line = We’re getting a code just for you.
invite-title = Scan with your phone.
invite-demo-title = See how it works.
invite-demo-line = Your own phone isn’t needed for this demo.
# What the drawn phone does, when no real one can reach the demo
invite-demo-step-1 = The phone scans the code.
invite-demo-step-2 = It records a face.
invite-demo-step-3 = The avatar appears here.
invite-step-1 = Point your phone’s camera at the code.
invite-step-2 = Record your face, or pick an avatar you have.
invite-step-3 = Look here and meet your avatar.
invite-qr = The code to scan with your phone
invite-no-camera = No camera? Open this on your phone:
# $clock: minutes and seconds, as in 4:05
invite-time-left = This code works for another { $clock }
invite-new-code = New code
invite-play-phone = Play the demo
invite-open-phone = Without a phone

## The avatar is being made

making-found-title = Found you!
making-found-line = Your phone’s connected. Look at this screen.
# The phone is the one that the screen draws.
making-found-line-demo = The phone’s connected. Look at this screen.
making-queue-title = You’re in line.
making-queue-line = We’ve got your recording. Stay close.
making-queue-next = You’re next!
# $place: a number, set large
making-queue-place = Number { $place } in line
making-processing-title = Shaping your avatar.
making-processing-line = Feature by feature, this is becoming you.
making-failed-title = We couldn’t use that recording.
making-failed-line = It happens. Scan the code to try again: face the light and hold still.
making-failed-line-demo = It happens. Play the demo again.
making-unknown-title = Your avatar’s on the way.
making-unknown-line = Stay close. You’ll see your avatar right here.
# $time: a range of seconds or minutes with its unit
making-left = About { $time } to go
making-left-soon = Just a few more seconds
making-turn = Your turn in about { $time }
making-turn-soon = You’re up in a moment
making-stalled = This is taking longer than usual. We’re still on it.
making-queue-stalled = The line isn’t moving right now. You won’t lose your place.

## Lanes: a visit goes on in the background, and its visitor has a ticket

lanes-next = Get a ticket
lanes-next-line = No need to wait here. Take a ticket and come back when your avatar’s ready.
# Beside the seconds that are left, in a ring
lanes-next-automatic = You’ll get a ticket in a moment. Come back when your avatar’s ready.
lanes-full = All tickets are taken right now, so your avatar stays on this screen.
# $colour and $symbol of a ticket: two words that a person remembers
ticket-name =
    { $colour ->
            [blue] Blue
            [red] Red
            [green] Green
            [yellow] Yellow
            [orange] Orange
            [purple] Purple
            [pink] Pink
           *[white] White
        } { $symbol ->
            [comet] Comet
            [moon] Moon
            [anchor] Anchor
            [bell] Bell
            [kite] Kite
            [key] Key
            [leaf] Leaf
            [crown] Crown
            [rocket] Rocket
            [cloud] Cloud
            [feather] Feather
           *[mountain] Mountain
        }
ticket-title = Your ticket.
ticket-line = Take a photo of it. When your avatar’s ready, choose your ticket on this screen and enter the code.
ticket-on-phone = It’s on your phone, too.
ticket-code = Your code
ticket-done = Got it
tickets = Tickets to pick up
# Headings of the tickets on the first screen
tickets-ready = Ready to pick up
tickets-making = In the making
# $name: the name of a ticket
ticket-being-made = { $name }: still being made
ticket-being-recorded = { $name }: still recording
ticket-announced = { $name } is ready!
pickup-title = Enter your code.
pickup-line = { $name }: the four digits are on your ticket.
pickup-making-title = Not quite there yet.
pickup-making-line = { $name } is still being made. Come back in a little while.
pickup-closed-title = This ticket’s no longer valid.
pickup-closed-line = Please ask the staff.
# $tries: tries left before a wait, a number
pickup-wrong =
    That’s not the code of this ticket. { $tries ->
            [one] One try left.
           *[other] { $tries } tries left.
        }
# $clock: minutes and seconds, as in 4:05
pickup-blocked = Too many wrong codes. Please wait { $clock }.
pickup-checking = One moment…
pickup-forgotten = Forgot the code? The staff can open your ticket.
pickup-keys = Digits
pickup-delete = Delete the last digit
# $count: digits entered, a number
pickup-entered =
    { $count ->
        [one] One digit entered
       *[other] { $count } digits entered
    }

## The files are being downloaded

saving-title = Almost there.
saving-line = Your avatar’s ready and on the way to this screen.
saving-stalled = The connection’s slow right now. We’ll keep going.

## Before an avatar whose visitor may have left

gate-title = Your avatar’s ready.
gate-line = Yours? Take a look. Nothing’s shown until you do.
gate-show = Show me
gate-not-mine = Not mine

## The avatar

reveal-title = Here you are.
reveal-title-portrait = Your portrait.
reveal-title-card = Your avatar’s saved.
# $device: for keys and gamepads it is among the hints
reveal-turn =
    { $device ->
        [touch] Swipe to turn your avatar.
       *[pointer] Drag to turn your avatar.
    }
reveal-lighting = Lighting the stage…
reveal-canvas = Your avatar, turning in the light
reveal-portrait = The portrait of your avatar
reveal-me = Use this avatar
reveal-again = Try again
reveal-delete = Delete my avatar
reveal-faces = Make a face
reveal-welcome-title = Nice to meet you.
reveal-welcome-line = Your avatar’s saved. This is where a game begins, with you in it.
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
keep-while-here = Your avatar is deleted from this console when you leave.
# On the reveal, next to the buttons “Finish” and “Try again”
keep-until-finished = Your avatar is deleted when you finish or try again.
keep-hours =
    { $count ->
        [one] Your avatar is deleted from this console after one hour.
       *[other] Your avatar is deleted from this console after { $count } hours.
    }
keep-days =
    { $count ->
        [one] Your avatar is deleted from this console after one day.
       *[other] Your avatar is deleted from this console after { $count } days.
    }
forget-me = Delete my data
forget-title = Delete everything?
forget-ask = The files and history of this visit will be deleted from this console. You can’t undo this.
forget-keep = Keep
forget-yes = Yes, delete
forgetting-title = Deleting…
forgetting-line = We’re deleting the files and history of this visit.
forgotten-title = Deleted.
forgotten-line = Nothing of yours is kept here.
forget-failed-title = We couldn’t delete everything.
forget-failed-line = Please tell the staff. They can delete the rest.

## The end without an avatar

ended-again = Start over

## Leaving, and the idle warning

leave-back = Back
leave-title = Leave now?
leave-ask = Your avatar won’t be shown here again.
# While the avatar is made or downloaded; the retention sentence follows
leave-ask-making = Your avatar will still be finished, but won’t be shown here again.
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
idle-stay = I’m here
idle-leave = Clear the screen
idle-spoken = Are you still there? This screen is about to be cleared for the next person.
idle-spoken-unsaved = Are you still there? This screen is about to be cleared, and your avatar deleted.

## Labels of the key and button hints

hint-choose = Select
hint-back = Back
hint-language = Language
hint-turn = Turn

## Problems by their code; `.do` says what to do

problem-saved = Your avatar’s here.
    .do = Take a look.
problem-saved-in-part = Part of your avatar didn’t arrive.
    .do = Start over with a new code.
problem-credentials-refused = This console isn’t set up yet.
    .do = Please tell the staff.
problem-credentials-missing = This console isn’t set up yet.
    .do = Please tell the staff.
problem-token-refused = This code didn’t work.
    .do = Let’s try a new one.
problem-token-expired = This code has expired.
    .do = A new one only takes a second.
problem-avatar-failed = Your avatar didn’t work out this time.
    .do = Even light on your face helps. Give it another try.
problem-backend-unreachable = We’re having trouble connecting.
    .do = Give it a moment. If it doesn’t clear up, please tell the staff.
problem-answer-lost = The connection dropped.
    .do = We’re trying again.
problem-download-interrupted = The download paused.
    .do = Your avatar’s safe, and will arrive once we’re back online.
problem-backend-busy = The avatar studio’s busy.
    .do = Just a moment.
problem-backend-failing = The avatar studio’s having a problem.
    .do = Give it a moment. If it doesn’t clear up, please tell the staff.
problem-gate = This network won’t let us through to the avatar studio.
    .do = Please tell the staff.
problem-no-api = This console isn’t set up yet.
    .do = Please tell the staff.
problem-protocol-broken = We didn’t understand the avatar studio’s answer.
    .do = Please tell the staff.
problem-possibly-consumed = The connection dropped at a bad moment.
    .do = Please start over with a new code.
problem-timed-out = We ran out of time.
    .do = Start over with a new code.
problem-storage-failed = This console can’t save anything right now.
    .do = Please tell the staff.
problem-disk-full = This console is out of space.
    .do = Please tell the staff.
problem-token-abandoned = This code is too old.
    .do = A new one only takes a second.
problem-forget-incomplete = We couldn’t delete everything.
    .do = Please tell the staff.
problem-interrupted = See you!
    .do = Start again whenever you like.
problem-outside-hours = We’re closed right now.
    .do = See you later!
problem-configuration = This console isn’t set up yet.
    .do = Please tell the staff.
problem-window-lost = Something went wrong.
    .do = Try again, or tell the staff.
problem-window-refused = That didn’t work.
    .do = Please try once more.
