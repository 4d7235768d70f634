### Was das Fenster den Besuchern sagt, auf Deutsch.

language-name = Deutsch
languages = Sprache
demo = DEMO
steps = Schritte
step-scan = Scannen
step-shape = Formen
step-meet = Begegnen

waking-title = Einen Moment.
waking-line = Die Bühne wird gerade hergerichtet.
lost-retry = Noch einmal versuchen

attract-title = Begegne dir selbst.
attract-line = Code scannen, Gesicht mit dem Handy aufnehmen und hier deinem Avatar begegnen.
attract-start = Los geht’s
attract-any =
    { $device ->
        [gamepad] oder drück irgendeinen Knopf
        [keyboard] oder drück irgendeine Taste
        [touch] oder tipp irgendwohin
       *[pointer] oder klick irgendwohin
    }

closed-until = Wieder geöffnet: { $when }
closed-staff =
    { $device ->
        [gamepad] Für das Personal: Start und Select gedrückt halten öffnet die Einstellungen.
        [keyboard] Für das Personal: F10 öffnet die Einstellungen.
        [touch] Für das Personal: Fünfmal in die obere linke Ecke tippen öffnet die Einstellungen.
       *[pointer] Für das Personal: F10 oder fünfmal in die obere linke Ecke tippen öffnet die Einstellungen.
    }

consent-title = Bevor es losgeht.
consent-agree = Einverstanden
consent-more = Weiterlesen
consent-not-now = Lieber nicht
consent-onward = dann wählen
consent-other-language = Diesen Text gibt es nicht auf Deutsch. Hier ist er auf { $language }.

preparing-title = Einen Moment.
preparing-line = Wir holen einen Code nur für dich.
invite-title = Scann mit dem Handy.
invite-demo-title = So funktioniert es.
invite-demo-line = Dein eigenes Handy brauchst du für diese Demo nicht.
invite-demo-step-1 = Das Handy scannt den Code.
invite-demo-step-2 = Es nimmt ein Gesicht auf.
invite-demo-step-3 = Der Avatar erscheint hier.
invite-step-1 = Richte die Handykamera auf den Code.
invite-step-2 = Nimm dein Gesicht auf oder wähl einen Avatar, den du schon hast.
invite-step-3 = Schau wieder hierher: Gleich siehst du deinen Avatar.
invite-qr = Der Code zum Scannen mit dem Handy
invite-no-camera = Keine Kamera? Öffne das auf dem Handy:
invite-time-left = Dieser Code gilt noch { $clock }
invite-new-code = Neuer Code
invite-play-phone = Demo abspielen
invite-open-phone = Ohne Handy

making-found-title = Da bist du!
making-found-line = Dein Handy ist verbunden. Schau hierher.
making-found-line-demo = Das Handy ist verbunden. Schau hierher.
making-queue-title = Du stehst in der Schlange.
making-queue-line = Deine Aufnahme ist da. Bleib in der Nähe.
making-queue-next = Gleich bist du dran!
making-queue-place = Platz { $place } in der Schlange
making-processing-title = Dein Avatar entsteht.
making-processing-line = Zug um Zug wirst das du.
making-failed-title = Mit der Aufnahme hat es nicht geklappt.
making-failed-line = Das kommt vor. Scann den Code und versuch es noch einmal: Schau ins Licht und halt still.
making-failed-line-demo = Das kommt vor. Spiel die Demo noch einmal ab.
making-unknown-title = Dein Avatar ist unterwegs.
making-unknown-line = Bleib in der Nähe. Dein Avatar erscheint genau hier.
making-left = Noch etwa { $time }
making-left-soon = Nur noch ein paar Sekunden
making-turn = In etwa { $time } bist du dran
making-turn-soon = Du bist gleich dran
making-stalled = Das dauert länger als sonst. Wir sind dran.
making-queue-stalled = Die Schlange steht gerade. Dein Platz bleibt dir.

lanes-next = Ticket holen
lanes-next-line = Du musst hier nicht warten. Hol dir ein Ticket und komm wieder, wenn dein Avatar fertig ist.
lanes-next-automatic = Gleich bekommst du ein Ticket. Komm wieder, wenn dein Avatar fertig ist.
lanes-full = Gerade sind alle Tickets vergeben. Dein Avatar bleibt auf diesem Bildschirm.
ticket-name =
    { $colour ->
            [blue] Blau
            [red] Rot
            [green] Grün
            [yellow] Gelb
            [orange] Orangen
            [purple] Violett
            [pink] Pink
           *[white] Weiß
        }{ $symbol ->
            [bell] e
            [leaf] es
            [crown] e
            [rocket] e
            [cloud] e
            [feather] e
           *[other] er
        } { $symbol ->
            [comet] Komet
            [moon] Mond
            [anchor] Anker
            [bell] Glocke
            [kite] Drachen
            [key] Schlüssel
            [leaf] Blatt
            [crown] Krone
            [rocket] Rakete
            [cloud] Wolke
            [feather] Feder
           *[mountain] Berg
        }
ticket-title = Dein Ticket.
ticket-line = Mach ein Foto davon. Sobald dein Avatar fertig ist, wähl hier dein Ticket und gib den Code ein.
ticket-on-phone = Auf deinem Handy steht es auch.
ticket-code = Dein Code
ticket-done = Alles klar
tickets = Tickets
tickets-ready = Fertig zum Abholen
tickets-making = Noch in Arbeit
ticket-being-made = { $name }: noch in Arbeit
ticket-being-recorded = { $name }: nimmt noch auf
ticket-announced = { $name } ist fertig!
pickup-title = Gib deinen Code ein.
pickup-line = { $name }: Die vier Ziffern stehen auf deinem Ticket.
pickup-making-title = Noch nicht ganz.
pickup-making-line = { $name } ist noch in Arbeit. Komm in ein paar Minuten wieder.
pickup-closed-title = Dieses Ticket gilt nicht mehr.
pickup-closed-line = Bitte frag das Personal.
pickup-wrong =
    Das ist nicht der Code dieses Tickets. { $tries ->
            [one] Noch ein Versuch.
           *[other] Noch { $tries } Versuche.
        }
pickup-blocked = Zu viele falsche Codes. Bitte warte { $clock }.
pickup-checking = Einen Moment …
pickup-forgotten = Code vergessen? Das Personal kann dein Ticket öffnen.
pickup-keys = Ziffern
pickup-delete = Letzte Ziffer löschen
pickup-entered =
    { $count ->
        [one] Eine Ziffer eingegeben
       *[other] { $count } Ziffern eingegeben
    }

saving-title = Gleich geschafft.
saving-line = Dein Avatar ist fertig und kommt jetzt hierher.
saving-stalled = Die Verbindung ist gerade langsam. Es geht von selbst weiter.

gate-title = Dein Avatar ist fertig.
gate-line = Ist es deiner? Schau ihn dir an. Bis dahin ist nichts zu sehen.
gate-show = Zeig ihn mir
gate-not-mine = Nicht meiner

reveal-title = Das bist du.
reveal-title-portrait = Dein Porträt.
reveal-title-card = Dein Avatar ist gespeichert.
reveal-turn =
    { $device ->
        [touch] Wisch, um dich von allen Seiten zu sehen.
       *[pointer] Zieh, um dich von allen Seiten zu sehen.
    }
reveal-lighting = Das Licht geht an …
reveal-canvas = Dein Avatar, der sich im Licht dreht
reveal-portrait = Das Porträt deines Avatars
reveal-me = Diesen Avatar nehmen
reveal-again = Noch einmal
reveal-delete = Meinen Avatar löschen
reveal-faces = Zieh eine Grimasse
reveal-welcome-title = Schön, dich zu sehen.
reveal-welcome-line = Dein Avatar ist gespeichert. Hier beginnt ein Spiel, und du bist mittendrin.
reveal-welcome-line-unsaved = Hier beginnt ein Spiel, und du bist mittendrin.
reveal-finish = Fertig
face-smile = Lächeln
face-wink = Zwinkern
face-surprise = Staunen
face-kiss = Kussmund
face-frown = Böser Blick

keep-for-ever = Dein Avatar bleibt auf dieser Konsole gespeichert.
keep-while-here = Dein Avatar wird hier gelöscht, sobald du gehst.
keep-until-finished = Dein Avatar wird gelöscht, sobald du fertig bist oder neu beginnst.
keep-hours =
    { $count ->
        [one] Dein Avatar wird hier nach einer Stunde gelöscht.
       *[other] Dein Avatar wird hier nach { $count } Stunden gelöscht.
    }
keep-days =
    { $count ->
        [one] Dein Avatar wird hier nach einem Tag gelöscht.
       *[other] Dein Avatar wird hier nach { $count } Tagen gelöscht.
    }
forget-me = Meine Daten löschen
forget-title = Alles löschen?
forget-ask = Die Dateien und der Verlauf dieses Besuchs werden von dieser Konsole gelöscht. Das lässt sich nicht rückgängig machen.
forget-keep = Behalten
forget-yes = Ja, löschen
forgetting-title = Wird gelöscht …
forgetting-line = Die Dateien und der Verlauf dieses Besuchs werden gelöscht.
forgotten-title = Gelöscht.
forgotten-line = Hier bleibt nichts von dir gespeichert.
forget-failed-title = Nicht alles ließ sich löschen.
forget-failed-line = Bitte sag dem Personal Bescheid: Es kann den Rest löschen.

ended-again = Von vorn beginnen

leave-back = Zurück
leave-title = Jetzt gehen?
leave-ask = Dein Avatar wird hier nicht mehr gezeigt.
leave-ask-making = Dein Avatar wird trotzdem fertig, aber hier nicht mehr gezeigt.
leave-ask-failed = Dieser Code gilt dann nicht mehr.
leave-stay = Bleiben
leave-leave = Gehen
leave-delete = Gehen und löschen
idle-title = Noch da?
idle-line =
    { $seconds ->
        [one] In einer Sekunde wird der Bildschirm frei für die nächste Person.
       *[other] In { $seconds } Sekunden wird der Bildschirm frei für die nächste Person.
    }
idle-line-unsaved =
    { $seconds ->
        [one] In einer Sekunde wird der Bildschirm frei und dein Avatar gelöscht.
       *[other] In { $seconds } Sekunden wird der Bildschirm frei und dein Avatar gelöscht.
    }
idle-stay = Ich bin da
idle-leave = Bildschirm freigeben
idle-spoken = Bist du noch da? Gleich wird dieser Bildschirm für die nächste Person frei.
idle-spoken-unsaved = Bist du noch da? Gleich wird dieser Bildschirm frei und dein Avatar gelöscht.

hint-choose = Auswählen
hint-back = Zurück
hint-language = Sprache
hint-turn = Drehen

problem-saved = Dein Avatar ist da.
    .do = Schau ihn dir an.
problem-saved-in-part = Ein Teil deines Avatars ist nicht angekommen.
    .do = Fang mit einem neuen Code noch einmal an, dann kommt alles.
problem-credentials-refused = Diese Konsole ist noch nicht eingerichtet.
    .do = Bitte sag dem Personal Bescheid.
problem-credentials-missing = Diese Konsole ist noch nicht eingerichtet.
    .do = Bitte sag dem Personal Bescheid.
problem-token-refused = Dieser Code hat nicht funktioniert.
    .do = Versuchen wir einen neuen.
problem-token-expired = Dieser Code ist abgelaufen.
    .do = Ein neuer ist sofort da.
problem-avatar-failed = Dein Avatar ist diesmal nicht gelungen.
    .do = Gleichmäßiges Licht im Gesicht hilft. Versuch es noch einmal.
problem-backend-unreachable = Das Avatar-Studio ist gerade nicht erreichbar.
    .do = Gib ihm einen Moment. Bleibt es so, sag bitte dem Personal Bescheid.
problem-answer-lost = Die Verbindung war kurz weg.
    .do = Wir versuchen es noch einmal.
problem-download-interrupted = Das Herunterladen macht eine Pause.
    .do = Dein Avatar geht nicht verloren. Er kommt, sobald die Verbindung wieder da ist.
problem-backend-busy = Im Avatar-Studio ist viel los.
    .do = Nur einen Moment.
problem-backend-failing = Das Avatar-Studio hat gerade ein Problem.
    .do = Gib ihm einen Moment. Bleibt es so, sag bitte dem Personal Bescheid.
problem-gate = Dieses Netz lässt uns nicht zum Avatar-Studio durch.
    .do = Bitte sag dem Personal Bescheid.
problem-no-api = Diese Konsole ist noch nicht eingerichtet.
    .do = Bitte sag dem Personal Bescheid.
problem-protocol-broken = Das Avatar-Studio hat etwas geantwortet, das wir nicht verstehen.
    .do = Bitte sag dem Personal Bescheid.
problem-possibly-consumed = Die Verbindung riss im falschen Moment ab.
    .do = Fang bitte mit einem neuen Code noch einmal an.
problem-timed-out = Die Zeit war um, bevor dein Avatar da war.
    .do = Mit einem neuen Code geht es von vorn los.
problem-storage-failed = Diese Konsole kann gerade nichts speichern.
    .do = Bitte sag dem Personal Bescheid.
problem-disk-full = Auf dieser Konsole ist kein Platz mehr.
    .do = Bitte sag dem Personal Bescheid.
problem-token-abandoned = Dieser Code ist zu alt.
    .do = Ein neuer ist sofort da.
problem-forget-incomplete = Es konnte nicht alles gelöscht werden.
    .do = Bitte sag dem Personal Bescheid.
problem-interrupted = Bis bald!
    .do = Fang noch einmal an, wann du magst.
problem-outside-hours = Gerade ist geschlossen.
    .do = Bis später!
problem-configuration = Diese Konsole ist noch nicht eingerichtet.
    .do = Bitte sag dem Personal Bescheid.
problem-window-lost = Hier klemmt etwas.
    .do = Versuch es noch einmal oder sag dem Personal Bescheid.
problem-window-refused = Das hat nicht geklappt.
    .do = Versuch es bitte noch einmal.
