### Messages of the sandbox's phone page, in English: the source of every key and its variables.
### Messages `live-…` are shown by the script as the avatar progresses.

## The page itself

language-name = English
languages = Language
title = Your avatar
sandbox-note = Sandbox: for trying out, not the Copresence app
no-script = This page needs JavaScript to follow your avatar. Please turn it on and reload.

## Start: record or choose

headline = Bring yourself into the game.
introduction = Record your face once, or choose an avatar that already exists.
record = Record a new avatar
record-hint = With this phone’s camera
choose = Choose an existing one
choose-hint = Ready in a moment
pick = Use a picture I have
skip = Go on without a picture

## Choose an existing avatar

choose-headline = Who do you want to be?
back = Back

## Line up the picture

crop-headline = Line up your face.
crop-hint = Drag and pinch until your face fills the oval.
crop-area = Your picture
crop-keys = The arrow keys move the picture, plus and minus change its size, R turns it.
zoom = Zoom
turn = Turn
use-picture = Use this picture
take-again = Take another
promise = The picture’s kept only in the sandbox’s memory, and deleted when this code expires.

## After a failure

again = Try again

## Progress

live-queue-head = You’re in line.
live-queue-next-head = You’re next!
live-queue-text = Keep this page open, or just watch the big screen.
live-queue-unit = in line
# $n: the queue position, from 1
live-queue-place = Number { $n } in line.
live-processing-head = Shaping your avatar.
live-processing-text = Feature by feature, this is becoming you. Watch the big screen.
live-ready-head = Look up at the big screen.
live-ready-text = Your avatar’s ready and on its way there.
live-spent-head = There you are.
live-spent-text = Your avatar’s on the big screen. You can put the phone away.
live-failed-head = We couldn’t use that recording.
live-failed-text = It happens. Try again with the same code: face the light and hold still.
live-expired-head = This code expired.
live-expired-text = No problem. Get a new one on the big screen, and scan it.
live-unknown-head = This code didn’t work.
live-unknown-text = Scan the code on the big screen again.
live-sending-head = One moment.
live-sending-text = Handing over to the big screen.
live-offline = We’re having trouble connecting. Trying again.
live-picture-unreadable = Your phone can’t open this file as a picture. Take another.
live-picture-refused = We couldn’t use that picture. Take another, or go on without one.
live-not-sent = That didn’t go through. Check the connection and try again.

## The ticket of a visit that goes on in the background

ticket = Your ticket
live-ticket-making-text = You don’t have to wait here. Keep this page open: it tells you when to come back.
live-ticket-ready-head = Your avatar’s ready.
live-ticket-ready-text = Come back to the screen, choose your ticket and enter the code.
