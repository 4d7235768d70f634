### Messages of the sandbox's phone page, in English: the source of every key and its variables.
### Messages `live-…` are shown by the script as the avatar progresses.

## The page itself

language-name = English
languages = Language
title = Your avatar
sandbox-note = Sandbox: for trying out, not the Copresence app
no-script = This page needs JavaScript to follow your avatar. Please turn it on and reload.

## Start: record or choose

headline = Bring yourself into the game
introduction = Record your face once, or choose an avatar that already exists.
record = Record a new avatar
record-hint = With this phone’s camera
choose = Choose an existing one
choose-hint = Ready in a moment
pick = Use a picture I have
skip = Make one without a picture

## Choose an existing avatar

choose-headline = Who do you want to be?
back = Back

## Line up the picture

crop-headline = Line up your face
crop-hint = Drag and pinch until your face fills the oval.
crop-area = Your picture
crop-keys = The arrow keys move the picture, plus and minus change its size, R turns it.
zoom = Zoom
turn = Turn
use-picture = Use this picture
take-again = Take another
promise = The picture is kept only in the sandbox’s memory, and deleted when this code expires.

## After a failure

again = Record again

## Progress

live-queue-head = You are in line
live-queue-next-head = You are next
live-queue-text = Keep this page open, or just watch the big screen.
live-queue-unit = in line
# $n: the queue position, from 1
live-queue-place = Place { $n } in line.
live-processing-head = Making your avatar
live-processing-text = Your face is taking shape. Watch the big screen.
live-ready-head = Look at the big screen
live-ready-text = Your avatar is ready and on its way there.
live-spent-head = You are on the big screen
live-spent-text = Your avatar has arrived. You can put the phone away.
live-failed-head = That did not work
live-failed-text = The avatar could not be made. You can record again with the same code.
live-expired-head = This code has expired
live-expired-text = Ask the big screen for a new code and scan it.
live-unknown-head = This code is not known
live-unknown-text = Scan the code on the big screen again.
live-sending-head = One moment
live-sending-text = Handing over to the big screen.
live-offline = No connection to the sandbox. Trying again.
live-picture-unreadable = This file is no picture that your phone can open. Take another.
live-picture-refused = This picture cannot be used. Take another, or record without one.
live-not-sent = That did not get through. Check the connection and try again.

## The ticket of a visit that goes on in the background

ticket = Your ticket
live-ticket-making-text = You don’t have to wait here. Keep this page open: it tells you when to come back.
live-ticket-ready-head = Your avatar is ready
live-ticket-ready-text = Come back to the screen, choose your ticket and enter your code.
